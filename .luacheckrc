std = "lua54"
read_globals = { "vault" }
max_line_length = 120
