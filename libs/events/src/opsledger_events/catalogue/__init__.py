"""The catalogue of events, generated from the classes: schemas, examples, AsyncAPI and a readable page.

Owns what subscribers are handed. Refuses to replace a published schema by one that breaks those who read it.
"""
