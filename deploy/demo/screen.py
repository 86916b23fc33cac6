"""What people see of the story."""

import sys

import typer

from deploy.demo.story import Scene, Step, Story


def begin(scene: Scene) -> None:
    """The step that is being played; the line is written over when it was seen to the end."""
    if sys.stdout.isatty():
        typer.echo(f"… {scene.title}\r", nl=False)


def show(step: Step) -> None:
    """One step that was seen to the end."""
    typer.echo(f"✓ {step.title}")
    for line in step.lines:
        typer.echo(f"    {line}")
    if step.events:
        shown = f"tra cứu thấy sau {step.tracking_ms} ms"
        typer.echo(f"    sự kiện: {', '.join(step.events)} — {shown}")


def show_end(story: Story, failure: str) -> None:
    if failure:
        typer.secho(f"✗ {story.doing}\n    {failure}", fg="red", err=True)
    else:
        typer.echo(f"Hồ sơ {story.code} đã đi trọn đường trong {story.seconds:.1f} giây.")
