"""How events change the rows of the mart, and what each indicator means. Pure: no I/O, no clock."""
