"""The dashboard in the real Chromium, against a real controller on the lab.

A test is a function `test_...(stand)` of a module `test_....py` here; its name is the sentence that it proves. Each visit to the dashboard fails
on its own where the console has an error, the Content-Security-Policy is violated, another host is asked, or an answer is 5xx.

  python3 -m Tests.Acceptance.dashboard                     all of it
  python3 -m Tests.Acceptance.dashboard sign overview       the tests whose names, or whose modules' names, contain one of the words
  ... --pictures FOLDER                                     keeps pictures of every page, in both themes and on a narrow screen
  ... --url URL --key FILE                                  against a controller that runs already; what stops or changes it is skipped
"""
