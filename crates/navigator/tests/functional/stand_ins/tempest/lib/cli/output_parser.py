"""Reads the tables that the client prints."""


def table(text):
    rows = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return {"headers": cells[0] if cells else [], "values": cells[1:]}


def listing(text):
    parsed = table(text)
    return [dict(zip(parsed["headers"], row)) for row in parsed["values"]]
