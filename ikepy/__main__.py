"""`python -m ikepy`."""

from __future__ import annotations

import sys

from ikepy.cli import main

sys.exit(main())
