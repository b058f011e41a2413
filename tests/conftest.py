"""Tables are drawn wide in every test, whatever the terminal: rich reads the width when a console is made."""

import os

os.environ["COLUMNS"] = "200"
