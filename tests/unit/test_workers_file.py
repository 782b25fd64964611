# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The reader of ``workers_file``: supported formats, and errors that hide the content."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible.errors import AnsibleActionFail
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible_collections.tenantry.cloudflare_workers.plugins.plugin_utils import _workers_file as workers_file
from ansible_collections.tenantry.cloudflare_workers.plugins.plugin_utils._braces import check_templates

SECRET = "hush-hush-do-not-tell-1"
AB = [{"name": "a"}, {"name": "b"}]
RIGHT, WRONG = VaultSecret(b"the-password"), VaultSecret(b"another")


def read_file(
    folder: pathlib.Path, name: str, content: str | bytes, password: VaultSecret | None = None
) -> list[t.Any]:
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    loader = DataLoader()
    if password:
        loader.set_vault_secrets([("default", password)])
    return workers_file.read(loader, str(file))


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("t.json", '[{"name": "a"}, {"name": "b"}]', AB),
        ("t.JSON", "[]", []),
        ("t.jsonl", '{"name": "a"}\n\n{"name": "b"}', AB),
        ("t.ndjson", '{"name": "a"}\r\n{"name": "b"}\r\n', AB),
        ("t.jsonl", "", []),
        ("t.yml", "- name: a\n- {name: b}\n", AB),
        (
            "t.yaml",
            "- &one {name: a, vars: {A: 1}}\n- {<<: *one, name: b}\n",
            [{"name": "a", "vars": {"A": 1}}, {"name": "b", "vars": {"A": 1}}],
        ),
        ("t.json", b'\xef\xbb\xbf[{"name": "a"}]', [{"name": "a"}]),
        ("t.jsonl", b'\xef\xbb\xbf{"name": "a"}', [{"name": "a"}]),
        ("t.yml", b"\xef\xbb\xbf- name: a", [{"name": "a"}]),
        ("t.jsonl", '{"name": "a\u2028b\u0085c"}', [{"name": "a\u2028b\u0085c"}]),
        ("t.yml", "- {d: 2026-11-01, t: 2026-11-01T10:00:00Z}\n", [{"d": "2026-11-01", "t": "2026-11-01T10:00:00Z"}]),
        ("t.yml", "- name: '{{ one }}'\n- name: !unsafe '{% two'\n", [{"name": "{{ one }}"}, {"name": "{% two"}]),
        ("t.json", '[{"name": "{{ one }}", "vars": null}, "b"]', [{"name": "{{ one }}", "vars": None}, "b"]),
    ],
)
def test_workers_file_supported_formats_are_read(
    tmp_path: pathlib.Path, name: str, content: str | bytes, found: list[t.Any]
) -> None:
    assert read_file(tmp_path, name, content) == found


def test_workers_file_large_is_read_completely(tmp_path: pathlib.Path) -> None:
    long = "x" * 3_000_000
    assert (
        read_file(tmp_path, "t.jsonl", f'{{"name": "a", "content": "{long}"}}\n{{"name": "b"}}')[0]["content"] == long
    )


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("t.txt", "[]", "has an unsupported extension. Use one of .json, .jsonl, .ndjson, .yml, .yaml"),
        ("t.json", "", "is not valid JSON: Expecting value"),
        ("t.json", "null", "does not contain a list"),
        ("t.yml", "---\n", "does not contain a list"),
        ("t.yml", "name: a", "does not contain a list"),
        ("t.json", "[]".encode("utf-16"), "is not valid JSON: the encoding is not UTF-8"),
        ("t.yml", b"- name: \xe9", "is not valid YAML: the encoding is not UTF-8"),
        ("t.json", f'[{{"name": "a", "secrets": {{"K": "{SECRET}}}}}]', "line 1 column"),
        ("t.jsonl", f'{{"name": "a"}}\n{{"name": "{SECRET}', "line 2 column"),
        ("t.yml", f"- name: a\n  secrets: {{K: {SECRET}\n", "did not find expected ',' or '}' in line 3"),
        (
            "t.yml",
            f"- name: a\n  secrets:\n    K: !{SECRET}\n",
            "could not determine a constructor for the tag in line 3",
        ),
        ("t.yml", f"- name: a\n  secrets:\n    K: !'{SECRET}\n", "in line 3"),
        ("t.yml", f"- name: a\n  secrets:\n    K: *{SECRET}\n", "found undefined alias in line 3"),
        ("t.yml", f"- name: a\n  secrets:\n    K: !!int {SECRET}\n", "a value cannot be parsed (ValueError)"),
        ("t.yml", f"- name: a\n  secrets:\n    K: !!bool {SECRET}\n", "a value cannot be parsed (KeyError)"),
        ("t.yml", f"- name: a\n  secrets:\n    K: !vault {SECRET}\n", "vault"),
        ("t.yml", f'- name: a\n  secrets:\n    K: "\x01{SECRET}"\n', "control character at position"),
        ("t.json", "[" * 100_000, "a value cannot be parsed (RecursionError)"),
    ],
)
def test_workers_file_invalid_error_hides_content(
    tmp_path: pathlib.Path, name: str, content: str | bytes, problem: str
) -> None:
    with pytest.raises(AnsibleActionFail) as failure:
        read_file(tmp_path, name, content)
    message = str(failure.value)
    assert message.startswith(f"workers_file: {tmp_path}/{name} ") and problem in message
    assert SECRET not in message and SECRET not in repr(failure.value.__cause__)


@pytest.mark.parametrize("name", ["t.json", "t.yml"])
def test_workers_file_vaulted_is_decrypted(tmp_path: pathlib.Path, name: str) -> None:
    encrypted = VaultLib([("default", RIGHT)]).encrypt('[{"name": "a"}, {"name": "b"}]')
    assert read_file(tmp_path, name, encrypted, RIGHT) == AB
    for password in (None, WRONG):
        with pytest.raises(AnsibleActionFail, match=r"cannot be read: .*([Dd]ecrypt|secret)"):
            read_file(tmp_path, name, encrypted, password)


def test_workers_file_vaulted_value_is_decrypted(tmp_path: pathlib.Path) -> None:
    encrypted = VaultLib([("default", RIGHT)]).encrypt(SECRET).decode()
    text = "- name: a\n  secrets:\n    KEY: !vault |\n" + "".join(f"      {line}\n" for line in encrypted.splitlines())
    assert read_file(tmp_path, "t.yml", text, RIGHT) == [{"name": "a", "secrets": {"KEY": SECRET}}]
    for password in (None, WRONG):
        with pytest.raises(AnsibleActionFail, match=r"cannot be read: .*([Dd]ecrypt|secret)"):
            read_file(tmp_path, "t.yml", text, password)


def test_workers_file_unreadable_is_refused(tmp_path: pathlib.Path) -> None:
    (tmp_path / "folder.json").mkdir()
    for name, problem in (("folder.json", "a folder"), ("missing.json", "not readable: No such file")):
        with pytest.raises(AnsibleActionFail, match=f"workers_file: .*{name} is {problem}"):
            workers_file.read(DataLoader(), str(tmp_path / name))


BRACES = "{{ vault_key }}"


@pytest.mark.parametrize(
    ("worker", "found"),
    [
        ({"name": "a", "vars": {"PLAN": "{{ plan }}"}}, "1 string with a template: vars.PLAN of 'a'."),
        (
            {"name": "a", "vars": {"X": {"y": ["{% if x %}\n{% endif %}"]}}},
            "1 string with a template: vars.X.y of 'a'.",
        ),
        (
            {"name": "a", "bindings": [{"text": "a {{ b }} c"}, {"text": "{{b}}"}]},
            "2 strings with a template: bindings.text",
        ),
        ({"name": "{{ name }}"}, "1 string with a template: name of '{{ name }}'."),
        ({"name": "a", "vars": {"{{ key }}": "x"}}, "1 string with a template: vars.(a key) of 'a'."),
        ("{{ worker }}", "1 string with a template: element of an element."),
        ({"name": "a", "vars": {"CSS": "a{b{c:d}}", "OPEN": "{{ and {%", "CLOSED": "}} %}"}}, ""),
    ],
)
def test_workers_file_template_is_warned_of(worker: t.Any, found: str) -> None:
    warnings = check_templates([{"name": "other", "vars": {"PLAN": "pro"}}, worker])
    assert [found in text for text in warnings] == ([True] if found else [])


def test_workers_file_open_braces_are_read_once() -> None:
    class Text(str):
        searched = 0

        def find(self, *args: t.Any) -> int:  # type: ignore[override]
            self.searched += 1
            return super().find(*args)

    text = Text("{{" * 5_000)
    assert check_templates([{"name": "a", "content": text}]) == [] and 0 < text.searched <= 4


@pytest.mark.parametrize("secrets", [{"KEY": f"{BRACES} x"}, {"KEY": {"key_jwk": {"k": BRACES}}}, BRACES])
def test_workers_file_template_in_secret_is_refused_without_its_text(secrets: t.Any) -> None:
    workers = [{"name": f"t{number}", "secrets": secrets} for number in range(7)]
    with pytest.raises(AnsibleActionFail) as failure:
        check_templates([{"name": "a", "vars": {"X": "{{ x }}"}}, *workers])
    message = str(failure.value)
    assert message.startswith("workers_file: 7 secrets with a template: secrets") and "of 't4', ... A file" in message
    assert "vault_key" not in message
