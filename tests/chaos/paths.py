"""Where things are."""

from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = ROOT / "contracts/examples"
MUTATIONS = Path(__file__).parent / "mutations"
