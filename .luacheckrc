std = "luajit"
max_line_length = 170
files["spec"].std = "+busted"
exclude_files = { "build", "build-*" }
