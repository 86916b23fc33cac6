"""`python -m deploy.local.lock_jars`: resolves every `jars/*/jgo.toml` anew and writes its lock file."""

import subprocess
import sys

from deploy.local.jars import LOCKS


def main() -> None:
    for folder in sorted(path.parent for path in LOCKS.glob("*/jgo.toml")):
        print(f"Resolving {folder.name} …")
        jgo = [sys.executable, "-m", "jgo", "--system-java", "--resolver", "python", "--timeout", "60", "lock"]
        subprocess.run(jgo, cwd=folder, check=True)


if __name__ == "__main__":
    main()
