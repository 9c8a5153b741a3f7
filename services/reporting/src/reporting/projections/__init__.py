"""From events to the mart's tables: load the rows that a batch touches, fold, write each once."""
