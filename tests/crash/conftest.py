"""Programs that tests start and kill are not modules of tests."""

collect_ignore_glob = ["*_victim.py", "store_storm.py"]
