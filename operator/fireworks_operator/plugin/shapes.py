"""`kubectl fireworks shapes`: on what a model can be served, by what Fireworks has validated."""

import click
from pydantic import JsonValue

from fireworks_operator.core.identity import full_model_name
from fireworks_operator.fireworks.deployment_shapes import DeploymentShape

from .fireworks import read_settings, signed_in
from .form import Form
from .output import Row, clean, new_console, print_columns, print_data, print_table

HEAD = ("PRESET", "GPUS", "PRECISION", "CONTEXT", "ADDONS")


async def show_shapes(model: str, form: Form | None, *, addons: bool) -> None:
    """Print the shapes that fit a model, in the order in which Fireworks gives them.

    Raises:
        click.ClickException: there is no API key, or it is not clear whose account is meant.
        FireworksError: Fireworks does not answer, or not to this key.
    """
    async with signed_in(read_settings()) as account:
        name = full_model_name(account.id, model)
        found = await account.client.match_shapes(account.key, account.id, name, addons=addons)
    if form is Form.NAME:
        for each in found:
            click.echo(each.name)
    elif form is not None:
        print_data([_to_data(each) for each in found], form)
    elif found:
        _print(found)
    else:
        click.echo(_nothing(model, name, addons=addons))


def _print(shapes: tuple[DeploymentShape, ...]) -> None:
    console = new_console()
    rows = [_row(each) for each in shapes]
    if not console.is_terminal:
        print_columns(HEAD, rows, "SHAPE")
        return
    print_table(console, HEAD, rows)
    console.print(f"\nUse one in a manifest:\n  spec:\n    deploymentShape: {clean(shapes[0].name)}", soft_wrap=True)


def _row(shape: DeploymentShape) -> Row:
    count, kind = shape.accelerator_count, shape.accelerator_type
    gpus = f"{count} x {kind}" if count and kind else kind
    context = str(shape.max_context_length or "")
    cells = (preset_word(shape), gpus, shape.precision, context, "yes" if shape.enable_addons else "no")
    return Row(cells, below=shape.name)


def preset_word(shape: DeploymentShape) -> str:
    """Return the preset as the word that spec.deploymentShape takes: `fast`; empty where there is none."""
    preset = shape.preset
    return "" if preset.endswith("_UNSPECIFIED") else preset.lower().replace("_", "-")


def _to_data(shape: DeploymentShape) -> dict[str, JsonValue]:
    """Return a shape for programs; what it leaves open is left out."""
    data: dict[str, JsonValue] = {
        "name": shape.name,
        "preset": preset_word(shape),
        "baseModel": shape.base_model,
        "acceleratorType": shape.accelerator_type,
        "acceleratorCount": shape.accelerator_count,
        "precision": shape.precision,
        "maxContextLength": shape.max_context_length,
        "enableAddons": shape.enable_addons,
    }
    return {key: value for key, value in data.items() if value or key == "enableAddons"}


def _nothing(model: str, name: str, *, addons: bool) -> str:
    kind = "deployment shape in which addons can be loaded" if addons else "deployment shape"
    if "/" not in model:
        advice = f"For a model of Fireworks, write accounts/fireworks/models/{clean(model)}."
    else:
        advice = "Check its name; without a shape, set spec.acceleratorType."
    return f"Fireworks has no {kind} for {clean(name)}. {advice}"
