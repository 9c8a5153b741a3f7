"""Files of dated days to a calendar's exceptions: every line is read, and every bad one is reported."""
