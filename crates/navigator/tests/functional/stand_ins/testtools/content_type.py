UTF8_TEXT = "text/plain; charset=utf8"
