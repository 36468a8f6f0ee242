"""What the figures need of Swift: comments, texts, and where types and functions begin and end. Not a compiler."""

import re
from dataclasses import dataclass, field

TYPE = re.compile(r"\b(class|struct|enum|actor|extension|protocol)\s+([A-Z][\w.]*)")
FUNCTION = re.compile(r"\b(?:func\s+([^\s(<]+|[<>=!+*/%&|^~-]+)|(?<![.\w])(init|deinit|subscript)\b)")
PROPERTY = re.compile(r"\b(?:let|var)\s+")


def blanked(text):
    """The same text with blanks for comments and for what stands in quotes; what is interpolated stays."""
    return Blanking(text).run()


class Blanking:
    def __init__(self, text):
        self.text, self.at, self.out = text, 0, []

    def run(self):
        self.code(closing=None)
        return "".join(self.out)

    def keep(self, count=1):
        self.out.append(self.text[self.at : self.at + count])
        self.at += count

    def blank(self, count=1):
        piece = self.text[self.at : self.at + count]
        self.out.append("".join(character if character == "\n" else " " for character in piece))
        self.at += count

    def code(self, closing):
        """Code up to its end, or to the bracket that closes an interpolation."""
        depth = 0
        while self.at < len(self.text):
            rest = self.text[self.at : self.at + 8]
            quote = re.match(r'(#*)("""|")', rest)
            if rest.startswith("//"):
                end = self.text.find("\n", self.at)
                self.blank((end if end >= 0 else len(self.text)) - self.at)
            elif rest.startswith("/*"):
                self.comment()
            elif quote:
                self.quoted(*quote.groups())
            else:
                depth += (rest[0] == "(") - (rest[0] == ")")
                if closing and depth < 0:
                    return
                self.keep()

    def comment(self):
        """Comments of this form nest."""
        depth = 0
        while self.at < len(self.text):
            two = self.text[self.at : self.at + 2]
            depth += (two == "/*") - (two == "*/")
            self.blank(2 if two in ("/*", "*/") else 1)
            if depth == 0:
                return

    def quoted(self, hashes, quote):
        self.blank(len(hashes + quote))
        while self.at < len(self.text):
            if self.text.startswith(quote + hashes, self.at):
                return self.blank(len(quote + hashes))
            if self.text.startswith("\\" + hashes + "(", self.at):
                self.blank(len(hashes) + 2)
                self.code(closing=")")
                self.blank()
            elif self.text.startswith("\\" + hashes, self.at):
                self.blank(len(hashes) + 2)
            else:
                self.blank()


@dataclass
class Type:
    """A type with the names of its stored properties; those of extensions and enums are none."""

    kind: str
    name: str
    stored: list[str] = field(default_factory=list)


@dataclass
class Function:
    """A function, initializer or subscript with a body; `lines` from its keyword to its closing brace."""

    name: str
    line: int
    lines: int = 0


class Declarations:
    """The types and functions of one file's code."""

    def __init__(self, code):
        self.code, self.types, self.functions = code, [], []
        # One entry for each open brace: a type, a function, or None.
        self.open, self.pending, self.depth, self.at = [], None, 0, 0
        while self.at < len(code):
            self.step()

    def step(self):
        character = self.code[self.at]
        if character == "{" and self.depth == 0:
            self.opened()
        elif character == "{":
            # A closure in brackets.
            self.open.append(self.depth)
            self.depth = 0
        elif character == "}" and self.open:
            self.closed()
        elif character in "([":
            self.depth += 1
        elif character in ")]":
            self.depth -= 1
        elif character.isalpha() and not self.code[self.at - 1 : self.at].isidentifier():
            return self.word()
        self.at += 1

    def opened(self):
        self.open.append(self.pending)
        self.pending = None

    def closed(self):
        ended = self.open.pop()
        if isinstance(ended, int):
            self.depth = ended
        elif isinstance(ended, Function):
            ended.lines = self.line() - ended.line + 1
            self.functions.append(ended)

    def line(self):
        return self.code.count("\n", 0, self.at) + 1

    @property
    def inner(self):
        return self.open[-1] if self.open else None

    def word(self):
        """A keyword that begins a declaration, or any other word."""
        inside = self.inner
        is_member = inside is None and not self.open or isinstance(inside, Type)
        if self.depth == 0 and (match := TYPE.match(self.code, self.at)):
            outer = [scope.name for scope in self.open if isinstance(scope, Type)]
            self.pending = Type(match[1], ".".join([*outer, match[2]]))
            self.types.append(self.pending)
        elif self.depth == 0 and (match := FUNCTION.match(self.code, self.at)) and (match[1] or is_member):
            if not (isinstance(inside, Type) and inside.kind == "protocol"):
                self.pending = Function(match[1] or match[2], self.line())
        elif self.depth == 0 and isinstance(inside, Type) and (match := PROPERTY.match(self.code, self.at)):
            if inside.kind in ("class", "struct", "actor"):
                inside.stored += self.stored(match.end())
        else:
            match = re.compile(r"\w+").match(self.code, self.at)
        self.at = match.end()

    def stored(self, begin):
        """The names that one `let` or `var` stores; none where it is computed or belongs to the type itself."""
        statement = self.code[self.code.rfind("\n", 0, self.at) + 1 : self.at]
        if re.search(r"\b(static|class)\b", statement):
            return []
        end, brackets, names, is_name = begin, 0, [], True
        while end < len(self.code):
            character = self.code[end]
            brackets += (character in "([") - (character in ")]")
            if is_name and (match := re.compile(r"[A-Za-z_]\w*").match(self.code, end)):
                names.append(match[0])
                is_name, end = False, match.end()
                continue
            if character == "=" or (character == "\n" and brackets == 0):
                # The further names of `var a = 0, b = 0`.
                rest = self.code[end : self.code.find("\n", end)]
                return names + re.findall(r",\s*([a-z_]\w*)\s*=", without_brackets(rest))
            if character == "{" and brackets == 0:
                return names if re.match(r"\{\s*(didSet|willSet)\b", self.code[end:]) else []
            if character == "," and re.match(r",\s*[a-z_]\w*\s*[:,=\n]", self.code[end:]) and brackets == 0:
                is_name = True
            end += 1
        return names


def without_brackets(text):
    """The text without what stands in brackets or braces."""
    while (shorter := re.sub(r"\([^()]*\)|\[[^\[\]]*\]|\{[^{}]*\}", "", text)) != text:
        text = shorter
    return text
