"""The same stories through the rules of other engines and through ours: who differs, and how."""
