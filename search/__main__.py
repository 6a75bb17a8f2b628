"""``python -m search`` is ``finetune-search``."""

from search.cli import main

if __name__ == "__main__":
    main()
