"""The owner's pages in a real browser. A package, so that Playwright's loop ends with it."""
