"""What parts of a config say about each other: numbers of classes, and losses for each output of the model."""

from __future__ import annotations

import typing
from dataclasses import replace

from paddleisa.config.problems import Problems
from paddleisa.config.signature import options_of
from paddleisa.config.values import fits
from paddleisa.datasets.classes import classes_of
from paddleisa.errors import ConfigError, WeightsError
from paddleisa.registry import BACKBONES, DATASETS, HEADS, MODELS, Registry
from paddleisa.utils.nodes import KeyPath, Node, Origin
from paddleisa.utils.yaml_reader import shown
from paddleisa.zoo.resolve import require_weights

PARTS = ("train_dataset", "val_dataset")


def fill(tree: Node) -> Node:
    """``tree`` with what one part leaves to another.

    The model's num_classes, a loss type for each ``coef``, and the mode of ``val_dataset``: validation, whatever the
    data set's own default is.
    """
    return _fill_losses(_fill_classes(_fill_mode(tree)))


def check(tree: Node, problems: Problems) -> None:
    """Add a problem for each two parts that contradict each other. Parts that are wrong in themselves are skipped."""
    _check_modes(tree, problems)
    _check_names_and_colours(tree, problems)
    _check_classes(tree, problems)
    _check_head(tree, problems)
    _check_losses(tree, problems)
    _check_warmup(tree, problems)
    _check_mirrors(tree, problems)


def _check_modes(tree: Node, problems: Problems) -> None:
    for part, wrong in zip(PARTS, ("val", "train"), strict=True):
        mode = tree.at((part, "mode"))
        if mode is not None and mode.value == wrong:
            problems.warn(mode.origin, (part, "mode"), f"{part} is the {wrong} part of its data")


def _check_names_and_colours(tree: Node, problems: Problems) -> None:
    for part in PARTS:
        node = tree.child(part)
        number, cls = number_of_classes(node), class_of(node, DATASETS)
        for option in ("class_names", "palette"):
            given = node.child(option) if node is not None else None
            if given is None or cls is None or not isinstance(number, int):
                continue
            try:
                classes_of(cls, {option: given.plain()}, number)
            except ConfigError as error:
                problems.add(given.origin, (part, option), error.problem, error.fix)
            except (TypeError, ValueError):  # of another type: told already
                continue


def _fill_classes(tree: Node) -> Node:
    model, cls = tree.child("model"), class_of(tree.child("model"), MODELS)
    if model is None or cls is None or "num_classes" not in options_of(cls).known or model.child("num_classes"):
        return tree
    for part in PARTS:
        number = number_of_classes(tree.child(part))
        if number is not None:
            kind = tree.nearest_at((part, "type")).value
            return tree.with_at(("model", "num_classes"), Node(number, Origin(f"from {part} {kind}")))
    return tree


def _fill_mode(tree: Node) -> Node:
    part = PARTS[1]
    cls = class_of(tree.child(part), DATASETS)
    option = options_of(cls).known.get("mode") if cls is not None else None
    if option is None or "val" not in typing.get_args(option.annotation) or tree.at((part, "mode")) is not None:
        return tree
    return tree.with_at((part, "mode"), Node("val", Origin(f"default under {part}")))


def check_pretrained(tree: Node, problems: Problems) -> None:
    """Add a problem when the weights that a training would start from are neither here nor known by name."""
    for path in (("model", "pretrained"), ("model", "backbone", "pretrained")):
        node = tree.at(path)
        if node is None or not isinstance(node.value, str):
            continue
        cls = class_of(tree.at(path[:-1]), BACKBONES)
        try:
            if node.value not in getattr(cls, "published", {}):
                require_weights(node.value)
        except WeightsError as error:
            problems.add(node.origin, path, f"{error.where}: {error.problem}", error.fix)
        return  # the model's own weights include the backbone's


def _fill_losses(tree: Node) -> Node:
    types, coef = tree.at(("loss", "types")), tree.at(("loss", "coef"))
    if types is None or coef is None or not (types.is_list and coef.is_list) or len(types.value) != 1:
        return tree
    repeated = replace(types, value=types.value * max(1, len(coef.value)))
    return tree.with_at(("loss", "types"), repeated)


def _check_classes(tree: Node, problems: Problems) -> None:
    own = tree.at(("model", "num_classes"))
    if own is None or not isinstance(own.value, int):
        return
    for part in PARTS:
        number = number_of_classes(tree.child(part))
        if isinstance(number, int) and number != own.value:
            kind = tree.nearest_at((part, "type"))
            problems.add(
                own.origin,
                ("model", "num_classes"),
                f"the model has {own.value} classes, {part} {kind.value} ({kind.origin}) has {number}",
                "Remove num_classes from the model, and it follows the data set",
            )


def _check_head(tree: Node, problems: Problems) -> None:
    """A model's flat keys (PaddleSeg's ``isa_channels``) are options of its head, which may say otherwise or lack them.

    The model's class lists them as ``head_keys``.
    """
    cls = class_of(tree.child("model"), MODELS)
    head = tree.at(("model", "head"))
    head_class = class_of(head, HEADS) or getattr(cls, "default_head", None)
    if head_class is None:
        return
    for key in getattr(cls, "head_keys", ()):
        flat, own = tree.at(("model", key)), tree.at(("model", "head", key))
        if flat is None or flat.value is None:
            continue
        option = options_of(head_class).known.get(key)
        if option is None:
            problem, fix = f"{head_class.__name__} has no option {key!r}", f"Remove {key} from the model"
        elif own is not None and own.plain() != flat.plain() and fits(own.plain(), option.annotation):
            problem = f"{key} is {shown(flat.plain())} in the model and {shown(own.plain())} in its head ({own.origin})"
            fix = "Give it once"
        else:
            continue
        problems.add(flat.origin, ("model", key), problem, fix)


def _check_losses(tree: Node, problems: Problems) -> None:
    types, coef = tree.at(("loss", "types")), tree.at(("loss", "coef"))
    if types is None or coef is None or not (types.is_list and coef.is_list):
        return
    if len(types.value) != len(coef.value):
        problems.add(
            coef.origin,
            ("loss", "coef"),
            f"{len(types.value)} loss types ({types.origin}) and {len(coef.value)} coefficients",
            "Give one coefficient for each type, or one type for all",
        )
        return
    outputs = _training_outputs(tree)
    if outputs is not None and outputs != len(types.value):
        kind = tree.nearest_at(("model", "type")).value
        problems.add(
            coef.origin,
            ("loss", "coef"),
            f"{len(types.value)} losses, but {kind} gives {outputs} in training",
            "ISANet has 2 with its auxiliary head (loss.coef: [1, 0.4]) and 1 without",
        )


def _check_warmup(tree: Node, problems: Problems) -> None:
    iters, warmup = tree.child("iters"), tree.at(("lr_scheduler", "warmup_iters"))
    if iters is None or warmup is None or not (isinstance(iters.value, int) and isinstance(warmup.value, int)):
        return
    if warmup.value >= iters.value:
        problems.warn(
            warmup.origin,
            ("lr_scheduler", "warmup_iters"),
            f"the warm-up of {warmup.value} iterations is not over at the end of the training, at iteration "
            f"{iters.value} ({iters.origin}): the rate never reaches learning_rate",
            "Give fewer warmup_iters, or more iters",
        )


def _check_mirrors(tree: Node, problems: Problems) -> None:
    """Warn where an image is mirrored and its left and right keep their classes."""
    places: list[tuple[str, KeyPath]] = [(PARTS[1], ("test_config",))]
    steps = tree.at((PARTS[0], "transforms"))
    if steps is not None and steps.is_list:
        places += [(PARTS[0], (PARTS[0], "transforms", number)) for number in range(len(steps.value))]
    for part, path in places:
        pairs = getattr(class_of(tree.child(part), DATASETS), "mirrored_classes", ())
        node = tree.at(path)
        if not pairs or node is None or not node.is_mapping:
            continue
        kind, flips = node.child("type"), node.child("flip_horizontal")
        mirrors = flips.value if flips is not None else kind is not None and kind.value == "RandomHorizontalFlip"
        swapped = node.child("swapped_labels")
        if mirrors and (swapped is None or not swapped.value):
            problem = "a mirror turns left into right, and the classes of the two are not exchanged"
            problems.warn(node.origin, path, problem, f"Write swapped_labels: {[list(pair) for pair in pairs]}")


def _training_outputs(tree: Node) -> int | None:
    """How many logit maps the model gives in training, where its options tell."""
    model, cls = tree.child("model"), class_of(tree.child("model"), MODELS)
    if model is None or cls is None:
        return None
    head = model.child("head")
    for node, owner in ((model, cls), (head, class_of(head, HEADS) or getattr(cls, "default_head", None))):
        option = options_of(owner).known.get("enable_auxiliary_loss") if owner is not None else None
        if option is not None:
            given = node.child("enable_auxiliary_loss") if node is not None and node.is_mapping else None
            value = option.default if given is None else given.value
            if isinstance(value, bool):
                return 1 + value
    return None


def number_of_classes(node: Node | None) -> object:
    """num_classes as the config gives it to the data set or, where the class has it, as the class does."""
    cls = class_of(node, DATASETS)
    if node is None or cls is None:
        return None
    given = node.child("num_classes") if "num_classes" in options_of(cls).known else None
    if given is not None:
        return given.value
    constant = getattr(cls, "num_classes", None)
    return constant if isinstance(constant, int) else None


def class_of(node: Node | None, table: Registry) -> type | None:
    """The class of ``table`` that a component's ``type`` names; None where it names none."""
    kind = node.child("type") if node is not None and node.is_mapping else None
    if kind is None or not isinstance(kind.value, str) or kind.value not in table:
        return None
    return table.get(kind.value)
