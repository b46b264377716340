"""Review by people: verdicts on disk (`verdicts`), a reviewer's work (`desk`), and the page it is done on (`app`)."""
