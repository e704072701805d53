"""`python -m app` is the command line.

`serve` and `worker` are reached without it: they start sooner and stay smaller.
"""

import sys

if sys.argv[1:2] in (["serve"], ["worker"]) and "--help" not in sys.argv:
    from app.operations.process import main as run_process

    run_process(sys.argv[1:])
else:
    from app.cli import main

    main()
