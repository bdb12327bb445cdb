"""The ways in which the fast path can refuse a row, read from its code, and which were taken.

The code of ``ftproviders.data.fast`` is read as a tree when it is imported for this layer. Every
condition that leads to a refusal is taken apart into its operands, and each operand becomes a
*site* that is noted when it alone decides. So nothing is listed by hand: a branch that is written
tomorrow is a site tomorrow. Decoding is typed, so what the decoder refuses is read from the types.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.abc import SourceLoader
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
from typing_extensions import override

ROOM = "ftproviders.data"
FAST = f"{ROOM}.fast"
_DECIDED, _CAUGHT = "__decided__", "__caught__"


UNREACHED: Mapping[str, str] = {}
"""What the code asks and no row can answer, with the reason; what is gone from it must go here."""


class Refusals:
    """Sites of refusals, and how often each one decided."""

    def __init__(self) -> None:
        self.sites: dict[str, None] = {}
        self.taken: Counter[str] = Counter()
        self.decoder_said: Counter[str] = Counter()
        """What the decoder refused: complaint and field."""

    def site(self, module: str, node: ast.AST, what: str) -> str:
        """Make a site of a place in the code."""
        name = f"{module.removeprefix(ROOM + '.')}:{getattr(node, 'lineno', 0)}: {what}"
        while name in self.sites:
            name += " (again)"
        self.sites[name] = None
        return name

    def decided(self, site: str, value: Any, deciding: bool) -> Any:
        """Note a site when `value` is what leads to the refusal; return `value`."""
        if bool(value) is deciding:
            self.taken[site] += 1
        return value

    def caught(
        self, site: str, kinds: Mapping[str, type[BaseException]], error: BaseException
    ) -> None:
        """Note a handler, and which of its types an error has."""
        self.taken[site] += 1
        self.taken[next(name for name, kind in kinds.items() if isinstance(error, kind))] += 1
        if isinstance(error, msgspec.ValidationError):
            self.decoder_said[complaint(str(error))] += 1

    def never_taken(self) -> list[str]:
        """Return the sites that no row came to, but for those that none can come to."""
        never = [site for site in self.sites if not self.taken[site]]
        return [site for site in never if site.split(": ", 1)[-1] not in UNREACHED]

    def outdated(self) -> set[str]:
        """Return the entries of `UNREACHED` that are no sites any more, or were taken."""
        open_sites = {site.split(": ", 1)[-1] for site in self.sites if not self.taken[site]}
        return set(UNREACHED) - open_sites


def complaint(message: str) -> str:
    """Cut what the decoder says down to the kind of complaint and the field concerned."""
    what, _, place = message.partition(" - at `")
    field = re.sub(r"\[[^]]*\]", "", place.rstrip("`")).rpartition(".")[2]
    if "missing required field" in what:
        return f"missing {what.split('`')[1]}"
    if "unknown field" in what:
        return "unknown key"
    for word, kind in (("matching regex", "pattern"), ("length", "length"), ("nvalid", "value")):
        if word in what:
            return f"{kind} of {field}"
    return f"type of {field}"


class Marker(ast.NodeTransformer):
    """Puts a note around everything that leads to a refusal."""

    def __init__(self, module: str, refusals: Refusals) -> None:
        self._module = module
        self._refusals = refusals

    def visit_If(self, node: ast.If) -> ast.If:
        """Take the condition apart when one of its sides is a refusal and nothing else."""
        refuses, otherwise = _refusal(node.body), _refusal(node.orelse)
        self.generic_visit(node)
        if refuses:
            node.test = self._operands(node.test, deciding=True)
        elif otherwise:
            node.test = self._operands(node.test, deciding=False)
        return node

    def visit_Return(self, node: ast.Return) -> ast.Return:
        """What is returned and is true or false says no when one of its operands does."""
        self.generic_visit(node)
        if node.value is not None and _is_answer(node.value):
            node.value = self._operands(node.value, deciding=False)
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.Lambda:
        """The same for what a function without a name answers."""
        self.generic_visit(node)
        if _is_answer(node.body):
            node.body = self._operands(node.body, deciding=False)
        return node

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.ExceptHandler:
        """A handler is a site; and so is each type of error, wherever it is caught."""
        self.generic_visit(node)
        kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        named = [kind for kind in kinds if kind is not None]
        node.name = node.name or "__error__"
        site = self._refusals.site(self._module, node, "except")
        keys: list[ast.expr | None] = [ast.Constant(f"except {ast.unparse(one)}") for one in named]
        self._refusals.sites.update(dict.fromkeys(f"except {ast.unparse(one)}" for one in named))
        arguments = [ast.Constant(site), ast.Dict(keys, named), ast.Name(node.name, ast.Load())]
        call = ast.Call(ast.Name(_CAUGHT, ast.Load()), arguments, [])
        node.body.insert(0, ast.Expr(call))
        return node

    def _operands(self, test: ast.expr, *, deciding: bool) -> ast.expr:
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            test.operand = self._operands(test.operand, deciding=not deciding)
            return test
        if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.Or if deciding else ast.And):
            test.values = [self._operands(one, deciding=deciding) for one in test.values]
            return test
        each = _each(test, "any" if deciding else "all")
        if each is not None:
            each.elt = self._operands(each.elt, deciding=deciding)
            return test
        site = self._refusals.site(self._module, test, f"{ast.unparse(test)} is {deciding}")
        arguments = [ast.Constant(site), test, ast.Constant(deciding)]
        return ast.Call(ast.Name(_DECIDED, ast.Load()), arguments, [])


def _refusal(body: list[ast.stmt]) -> bool:
    """Say whether statements end in a refusal: an error, or an answer that is no or nothing."""
    last = body[-1] if body else None
    if isinstance(last, ast.Return):
        return last.value is None or (
            isinstance(last.value, ast.Constant) and last.value.value in (None, False)
        )
    return isinstance(last, ast.Raise)


def _is_answer(value: ast.expr) -> bool:
    """Say whether an expression can only be true or false, by its form."""
    if isinstance(value, ast.BoolOp):
        return isinstance(value.op, ast.And)
    is_no = isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.Not)
    return is_no or isinstance(value, ast.Compare) or _each(value, "all") is not None


def _each(test: ast.expr, name: str) -> ast.GeneratorExp | None:
    """Return what ``all(...)`` or ``any(...)`` goes through."""
    if not isinstance(test, ast.Call) or len(test.args) != 1:
        return None
    through = test.args[0]
    named = isinstance(test.func, ast.Name) and test.func.id == name
    return through if named and isinstance(through, ast.GeneratorExp) else None


class _Loader(SourceFileLoader):
    """Loads a module of the room with marks, and with small limits."""

    def __init__(self, spec: ModuleSpec, refusals: Refusals, limits: Mapping[str, int]) -> None:
        super().__init__(spec.name, str(spec.origin))
        self._refusals = refusals
        self._limits = limits

    @override
    def get_code(self, fullname: str) -> Any:
        source = Path(self.path).read_text(encoding="utf-8")
        tree = ast.parse(source, self.path)
        if fullname == FAST or fullname.startswith(f"{FAST}."):
            tree = Marker(fullname, self._refusals).visit(tree)
            ast.fix_missing_locations(tree)
        return compile(tree, self.path, "exec")

    @override
    def exec_module(self, module: ModuleType) -> None:
        vars(module)[_DECIDED] = self._refusals.decided
        vars(module)[_CAUGHT] = self._refusals.caught
        SourceLoader.exec_module(self, module)
        for name, limit in self._limits.items():
            if vars(module).get(name) is not None and not name.startswith("__"):
                setattr(module, name, limit)


class _Finder(PathFinder):
    """Finds the modules of the room for `_Loader`."""

    refusals: Refusals
    limits: Mapping[str, int]

    @classmethod
    @override
    def find_spec(cls, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if fullname != ROOM and not fullname.startswith(f"{ROOM}."):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and str(spec.origin).endswith(".py"):
            spec.loader = _Loader(spec, cls.refusals, cls.limits)
        return spec


@contextmanager
def marked_room(limits: Mapping[str, int]) -> Iterator[Refusals]:
    """Import ``ftproviders.data`` anew, with marks in its fast path, for as long as this lasts.

    Args:
        limits: Name of a constant -> its value for this time, in whatever module it stands; so
            that what lies beyond a limit of megabytes can be made many times.
    """
    parent = importlib.import_module("ftproviders")
    importlib.import_module(ROOM)
    before = {name: sys.modules.pop(name) for name in list(sys.modules) if _in_room(name)}
    _Finder.refusals, _Finder.limits = Refusals(), limits
    sys.meta_path.insert(0, _Finder)
    try:
        yield _Finder.refusals
    finally:
        sys.meta_path.remove(_Finder)
        for name in [name for name in sys.modules if _in_room(name)]:
            del sys.modules[name]
        sys.modules.update(before)
        vars(parent)["data"] = before[ROOM]


def _in_room(name: str) -> bool:
    return name == ROOM or name.startswith(f"{ROOM}.")


def decoder_complaints() -> set[str]:
    """Return what the typed decoders of the fast path can complain about, read from their types."""
    wanted = set()
    for name, module in list(sys.modules.items()):
        if name != FAST and not name.startswith(f"{FAST}."):
            continue
        for kind in vars(module).values():
            own = isinstance(kind, type) and kind.__module__ == name
            if own and issubclass(kind, msgspec.Struct):
                wanted |= set(_complaints_about(kind))
    return wanted


def _complaints_about(kind: type[msgspec.Struct]) -> Iterator[str]:
    described: Any = msgspec.inspect.type_info(kind)
    if described.forbid_unknown_fields:
        yield "unknown key"
    for field in described.fields:
        if field.required:
            yield f"missing {field.encode_name}"
        for one in getattr(field.type, "types", (field.type,)):
            match type(one).__name__:
                case "RawType" | "AnyType":
                    continue
                case "LiteralType":
                    yield f"value of {field.encode_name}"
                case "NoneType" | "UnsetType":
                    continue
                case _:
                    yield f"type of {field.encode_name}"
            if getattr(one, "pattern", None):
                yield f"pattern of {field.encode_name}"
            if getattr(one, "min_length", None):
                yield f"length of {field.encode_name}"
