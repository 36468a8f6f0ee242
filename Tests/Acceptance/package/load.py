"""Requests through a proxy until standard input ends; then prints how many there were, and how many failed.

python3 -m Tests.Acceptance.package.load PORT USER PASSWORD
"""

import sys
import threading
import time

from ...Harness.http import proxied

THREADS = 4


def main():
    port, user, password = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    begin, ended, failures, counts = time.monotonic(), threading.Event(), [], [0] * THREADS

    def ask(number):
        while not ended.is_set():
            if not proxied(port, user, password=password, timeout=5):
                failures.append(round(time.monotonic() - begin, 2))
            counts[number] += 1
            time.sleep(0.005)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    ended.set()
    for thread in threads:
        thread.join()
    print(sum(counts), len(failures), *failures[:10])


if __name__ == "__main__":
    main()
