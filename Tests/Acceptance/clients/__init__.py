"""Real clients through every entry of the proxies, on the lab; one line a check, status 1 if any fails.

python3 -m Tests.Acceptance.clients [--build debug|release] [--picture FILE]

`make clients` gives it an engine (DOCKER_HOST). What PyPI's packages are needed for is left out, with a word, where they can't be
installed, and so is Chromium where it isn't. With a FILE the picture that Chromium takes of the check page is kept.
"""
