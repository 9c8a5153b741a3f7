"""Why a clock shows what it shows: lines, sentences in two languages, a picture. Pure; no figure of its own."""
