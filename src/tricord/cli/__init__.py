"""The command line: parse, call one function, show. Exit codes live only here."""
