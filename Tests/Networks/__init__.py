"""Special networks: the files that have their lists, made from haproxy/special-networks.txt.

python3 -m Tests.Networks            writes them
python3 -m Tests.Networks --check    status 1 where one is not up to date
"""
