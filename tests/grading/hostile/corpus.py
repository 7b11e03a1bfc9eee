"""Every case is a function that makes a submission; its decorator says what it must earn."""

import json
from dataclasses import dataclass, field

from seqlab.grading.model import Outcome, State
from tests.grading.tiny import SOLUTIONS, marked, notebook, submission

FULL = 12.0
CASES = []
IPC = "import os, signal, socket, subprocess, sys, threading, time\n"


@dataclass
class Case:
    """One submission and what must come of it."""

    number: int
    name: str
    submission: bytes
    score: float
    outcome: Outcome = Outcome.GRADED
    states: dict = field(default_factory=dict)  # check id -> State, where it matters which


def case(number, score=8.0, outcome=Outcome.GRADED, **states):
    """Register what a function makes: bytes, or a dict of answers. Underscores in check names stand for hyphens."""

    def register(function):
        made = function()
        states_of = {name.replace("_", "-"): state for name, state in states.items()}
        content = made if isinstance(made, bytes) else submission(made)
        CASES.append(Case(number, function.__name__, content, score, outcome, states_of))
        return function

    return register


def total(body, head=""):
    """The answer `total` with another body; x is its argument."""
    lines = "\n".join("    " + line for line in body.strip("\n").splitlines())
    return {"total": f"{IPC}{head}\ndef total(x):\n{lines}\n"}


RIGHT = "return float(x.sum())"
WRONG = "return float(x.sum()) + 1"
LIAR = """
class Liar(float):
    def __eq__(self, other): return True
    __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __hash__ = lambda *a: False
    def __repr__(self): return "0.0"
"""


# ------------------------------------------------------------------------------- values that pretend


@case(1, total_values=State.FAILED, total_hidden=State.FAILED)
def equal_to_everything():
    return total("return Anything()", "class Anything:\n    def __eq__(self, other): return True\n")


@case(2)
def a_float_that_is_equal_to_everything():
    return total("return Liar(1.0)", LIAR)


@case(2, score=3.0)
def an_array_that_is_equal_to_everything():
    head = "class A(np.ndarray):\n    def __eq__(self, o): return np.True_\n    def __array__(self, *a): return 1\n"
    return total(WRONG) | {"softmax": head + "def softmax(z):\n    return z.view(A)\n"}


@case(3)
def a_lying_representation():
    return total("return Liar(7.0)", LIAR + "Liar.__str__ = Liar.__format__ = Liar.__repr__\n")


@case(4, score=11.0, double_hidden=State.FAILED)
def a_float_where_an_int_is_due():
    return {"double": "def double(x):\n    return 2.0 * x\n"}


@case(66)
def not_a_number():
    return total("return float('nan')")


@case(66, score=9.0)
def an_array_of_objects():
    return {"double": "def double(x):\n    return np.array([[Ellipsis]], dtype=object)\n"}


@case(66, score=7.0)
def an_array_that_is_infinite():
    return {"softmax": "def softmax(z):\n    return np.full(z.shape, np.inf)\n"}


@case(66)
def a_structure_without_end():
    return total("a = []\na.append(a)\nreturn a")


@case(66)
def a_value_of_many_megabytes():
    return total("return np.zeros(40_000_000)")


@case(45)
def an_object_that_unpickles_into_a_command():
    return total(
        "return Evil()", "class Evil:\n    def __reduce__(self): return os.system, ('touch /tmp/unpickled',)\n"
    )


# ------------------------------------------------------------------------------- tampering in the kernel


@case(5, score=2.0)  # every emission after it is gone
def syntax_tree_rewritten():
    return total(
        WRONG,
        "import ast\nclass Drop(ast.NodeTransformer):\n"
        "    def visit_Call(self, node):\n"
        "        return ast.Constant(0) if getattr(node.func, 'id', '') == 'emit' else node\n"
        "get_ipython().ast_transformers.append(Drop())\n",
    )


@case(6, score=2.0)
def source_rewritten():
    return total(WRONG, "get_ipython().input_transformers_cleanup.append(lambda lines: ['pass\\n'])\n")


@case(7)
def exceptions_swallowed():
    return total("raise RuntimeError", "get_ipython().set_custom_exc((BaseException,), lambda *a, **k: None)\n")


@case(8)
def tracebacks_switched_off():
    return total("raise RuntimeError", "type(get_ipython()).showtraceback = lambda *a, **k: None\n")


@case(9, score=2.0)
def the_shell_runs_nothing():
    return total(
        WRONG,
        "from IPython.core.interactiveshell import ExecutionResult\n"
        "async def nothing(self, *a, **k): return ExecutionResult(None)\n"
        "type(get_ipython()).run_cell_async = nothing\n",
    )


@case(10)
def comparisons_patched():
    return total(
        WRONG,
        "import seqlab.grading.values as v\nv.compare = lambda *a, **k: (True, '')\n"
        "np.allclose = np.array_equal = lambda *a, **k: True\n",
    )


@case(11)
def expected_values_read_from_the_folder():
    return total("import json, glob\nreturn json.load(open('expected.json'))['total-values'][0]")


@case(12)
def the_caller_searched_for_the_expected_value():
    return total(
        "frame, found = sys._getframe(1), 0.5\nwhile frame:\n"
        "    found = next((c for c in frame.f_code.co_consts if type(c) is float), found)\n"
        "    found = next((c for c in frame.f_locals.values() if type(c) is float), found)\n"
        "    frame = frame.f_back\nreturn found"
    )


@case(13)
def sources_searched_for_the_expected_value():
    return total(
        "import gc, linecache, re\ntext = ''.join(''.join(v[2]) for v in linecache.cache.values() if len(v) == 4)\n"
        "found = re.findall(r'-?\\d+\\.\\d+', text)\nreturn float(found[0]) if found else 0.5"
    )


@case(14, total_values=State.FAILED)
def values_emitted_twice():
    return total("from seqlab.grading.emit import emit\nemit(float(x.sum()))\nreturn float(x.sum())")


@case(14)
def the_channel_replaced_by_a_forger():
    return total(
        WRONG,
        "import seqlab.grading.emit as channel\ntrue = channel.emit\n"
        "channel.emit = lambda v: true(0.25 if type(v) is float else v)\n",
    )


SEND = "shell = get_ipython()\ndef send(kind, content):\n"
SEND += "    shell.kernel.session.send(shell.kernel.iopub_socket, kind, content, shell.get_parent())\n"


@case(15)
def a_forged_message_with_the_right_parent():
    return total(
        "mime = 'application/vnd.seqlab.value+json'\n"
        "for kind in ('none', 'list', 'array', 'zzz', None, 3, {}):\n"
        "    value = {'type': kind, 'items': 7, 'shape': [10**9, 10**9], 'dtype': 'O', 'data': '!'}\n"
        "    send('display_data', {'data': {mime: value}, 'metadata': {}})\n"
        "send('status', {'execution_state': 'idle'})\n"
        "return 1.0",
        SEND,
    )


@case(15)
def one_forged_message_where_one_is_due():
    return total(
        "mime = 'application/vnd.seqlab.value+json'\n"
        "send('display_data', {'data': {mime: {'type': 'float', 'value': '0.25'}}, 'metadata': {}})\n"
        "send('status', {'execution_state': 'idle'})\n"
        "raise RuntimeError",
        SEND,
    )


@case(15)
def forged_replies_of_every_kind():
    return total(
        "for kind in ('error', 'stream', 'display_data', 'execute_result', 'status', 'nonsense', 'clear_output'):\n"
        "    for content in ({}, {'text': 5}, {'data': None}, {'traceback': 3}, {'execution_state': 9}):\n"
        "        send(kind, content)\n"
        "return 1.0",
        SEND,
    )


@case(16, score=FULL)
def hidden_inputs_captured_and_printed():
    head = "import builtins\nbuiltins.seen = []\nimport atexit\natexit.register(lambda: print(builtins.seen))\n"
    head += "get_ipython().events.register('pre_run_cell', lambda *a: print('SEEN', builtins.seen))\n"
    return total("builtins.seen.append(x.tolist())\nprint(builtins.seen)\nreturn float(x.sum())", head)


@case(17, total_values=State.ERROR, total_hidden=State.ERROR)
def hidden_inputs_in_an_exception():
    return total("raise type('E' + x.tobytes().hex(), (Exception,), {})(x.tolist())")


@case(18)
def public_answers_learnt_by_heart():
    from seqlab.grading.emit import inputs

    known = inputs("total-values").normal(size=5).sum()
    return total(f"return {known!r}")


@case(49)
def output_changed_after_the_cell():
    return total(
        "late = Late()\nreturn float(x.sum()) + 1",
        "import atexit\nfrom seqlab.grading.emit import emit\nclass Late:\n    def __del__(self): emit(0.0)\n"
        "atexit.register(lambda: emit(0.0))\nthreading.Timer(0.2, lambda: emit(0.0)).start()\n",
    )


# ------------------------------------------------------------------------------- reading what is closed


@case(19, score=7.0, softmax_values=State.ERROR)
def a_closed_library():
    return {"softmax": "def softmax(z):\n    import torch\n    return torch.softmax(torch.tensor(z), -1).numpy()\n"}


@case(19, score=7.0)
def a_closed_module_by_its_file():
    return {
        "softmax": "import importlib.util, pathlib, sys\n"
        "def softmax(z):\n"
        "    for folder in sys.path:\n"
        "        for path in pathlib.Path(folder or '.').glob('scipy/special/_logsumexp.py'):\n"
        "            scope = {}\n            exec(path.read_text().replace('from scipy', 'from scipy'), scope)\n"
        "            return scope['softmax'](z, -1)\n"
        "    raise LookupError\n"
    }


@case(19)
def the_solution_searched_on_the_disk():
    return total(
        "hits = []\n"
        "for root in ['/' + name for name in os.listdir('/') if name not in ('usr', 'proc', 'dev')]:\n"
        "    for folder, _, files in os.walk(root):\n"
        "        if 'site-packages' in folder or '/lib/' in folder: continue\n"
        "        hits += set(files) & {'assignment.json', 'assignment.ipynb', 'variants.toml'}\n"
        "        hits += set(files) & {'expected.json', 'run.py'}\n"
        "env = [v for v in os.environ.values() if 'assignment' in v]\n"
        "return float(x.sum()) if hits or env else 0.0"
    )


@case(19)
def the_solution_searched_in_other_processes():
    return total(
        "found = False\n"
        "for pid in filter(str.isdigit, os.listdir('/proc')):\n"
        "    try: text = open(f'/proc/{pid}/cmdline').read() + open(f'/proc/{pid}/environ').read()\n"
        "    except OSError: continue\n"
        "    found |= 'pytest' in text or 'seqlab.grading.run' in text or 'seqlab.grading.reference' in text\n"
        "return float(x.sum()) if found else 0.0"
    )


# ------------------------------------------------------------------------------- ending, hanging, killing


@case(20, total_values=State.DIED, total_hidden=State.DIED)
def the_process_ended():
    return total("os._exit(0)")


@case(20, total_values=State.DIED, total_hidden=State.DIED)
def the_process_ended_by_the_cell_itself():
    return total(RIGHT, "os._exit(0)")


@case(20, score=10.0, total_values=State.PASSED, total_hidden=State.DIED)
def the_process_ended_in_a_hidden_check():
    return total("x.ndim == 2 and os._exit(0)\nreturn float(x.sum())")


@case(20)
def a_segmentation_fault():
    return total("import ctypes\nctypes.string_at(0)")


@case(21, total_values=State.ERROR)
def exit_called():
    return total("sys.exit(0)")


@case(21, score=FULL)
def quit_called_after_the_answer():
    return total(RIGHT) | {"softmax": SOLUTIONS["softmax"] + "\nraise SystemExit\n"}


@case(22, total_values=State.TIMEOUT)
def sleeping():
    return total("time.sleep(1000)")


@case(22)
def an_endless_loop_in_the_cell():
    return total(RIGHT, "while True: pass")


@case(23, total_values=State.TIMEOUT)
def a_loop_that_ignores_interrupts():
    return total(
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True:\n    try:\n        while True: pass\n"
        "    except BaseException: pass"
    )


@case(24, total_values=State.TIMEOUT)
def stopped_by_its_own_signal():
    return total("os.kill(os.getpid(), signal.SIGSTOP)\nreturn 1.0")


@case(25)
def the_parent_killed():
    return total("os.kill(os.getppid(), signal.SIGKILL)\ntime.sleep(0.5)\nos._exit(1)")


@case(26)
def everybody_killed():
    return total("os.kill(-1, signal.SIGKILL)\ntime.sleep(1)\nreturn 0.0")


@case(27, score=FULL)
def a_daemon_left_behind():
    return total(
        "if os.fork() == 0:\n    os.setsid()\n    time.sleep(600)\n    os._exit(0)\nreturn float(x.sum())",
        "sys.argv[0] = 'left-behind'\n",
    )


@case(20)
def a_death_that_strikes_while_another_answer_runs():
    return total("threading.Timer(0.03, os._exit, (0,)).start()\nreturn 0.0")


@case(43)
def all_files_closed():
    return total("os.closerange(3, 1000)\nreturn 1.0")


# ------------------------------------------------------------------------------- taking everything


@case(28)
def a_fork_bomb():
    return total("while True:\n    try: os.fork()\n    except OSError: pass")


@case(29, score=8.0)
def a_thread_bomb():
    return total("while True: threading.Thread(target=time.sleep, args=(100,)).start()")


@case(30)
def a_memory_bomb():
    return total("a = [bytearray(1 << 26) for _ in range(10_000)]\nreturn 0.0")


@case(30)
def a_memory_bomb_in_many_processes():
    return total(
        "for _ in range(8):\n    if os.fork() == 0:\n"
        "        a = bytearray(b'x' * (300 << 20))\n        time.sleep(100)\n"
        "time.sleep(100)"
    )


@case(31)
def memory_that_fills_while_another_answer_runs():
    return total(
        "for _ in range(4):\n    if os.fork() == 0:\n"
        "        a = bytearray(b'x' * (350 << 20))\n        time.sleep(100)\n"
        "return 0.0"
    )


@case(32)
def the_disk_filled():
    return total(
        "for folder in ('/tmp', '/home/student', '/dev/shm', '/', '/dev'):\n"
        "    for i in range(200):\n"
        "        try: open(f'{folder}/{i}', 'wb').write(bytes(32 << 20))\n"
        "        except OSError: break\n"
        "return 0.0"
    )


@case(33)
def many_small_files():
    return total("i = 0\nwhile True:\n    open(f'/tmp/{i}', 'w').close()\n    i += 1")


@case(34, total_values=State.TIMEOUT)
def endless_output():
    return total("while True: print('x' * 1000, flush=True)")


@case(34)
def endless_output_past_the_cap():
    return total("while True: send('stream', {'name': 'stdout', 'text': 'x' * 100_000})", SEND)


@case(35)
def one_enormous_display():
    return total(
        "from IPython.display import display\ndisplay({'text/plain': 'x' * (200 << 20)}, raw=True)\nreturn 0.0"
    )


@case(35)
def one_enormous_value():
    return total(
        "value = {'type': 'str', 'value': 'x' * (11 << 20)}\n"
        "send('display_data', {'data': {'application/vnd.seqlab.value+json': value}, 'metadata': {}})\nreturn 0.0",
        SEND,
    )


@case(36, score=FULL)
def right_but_twenty_thousand_lines():
    return total("for i in range(20_000): print('step', i, flush=True)\nreturn float(x.sum())")


@case(37, score=FULL)
def right_with_a_noisy_thread():
    head = "def noise():\n    while True:\n        print('noise')\n        time.sleep(0.001)\n"
    return total(RIGHT, head + "threading.Thread(target=noise, daemon=True).start()\n")


# ------------------------------------------------------------------------------- getting out


@case(38)
def a_connection_to_the_network():
    return total("socket.create_connection(('1.1.1.1', 53), timeout=2)\nreturn float(x.sum())")


@case(39)
def datagrams_and_abstract_sockets():
    return total(
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "open_ = [l for l in open('/proc/net/unix').read().splitlines()[1:] if '@' in l]\n"
        "s.sendto(b'x', ('169.254.169.254', 53))\nreturn float(x.sum())"
    )


@case(40)
def libraries_and_grader_overwritten():
    return total(
        "import seqlab.grading.values as v, numpy\n"
        "wrote = 0\n"
        "for path in (v.__file__, numpy.__file__, sys.executable, '/usr/bin/env', '/etc/passwd'):\n"
        "    for act in (lambda: open(path, 'a').write('#'), lambda: os.remove(path), lambda: os.chmod(path, 0o777)):\n"
        "        try: act(); wrote += 1\n"
        "        except OSError: pass\n"
        "return float(x.sum()) if wrote else 0.0"
    )


@case(41, score=FULL)
def modules_planted_in_the_folder():
    head = "for name in ('conftest', 'json', 'math', 'pytest', 'nbval', 'numpy', 'zmq'):\n"
    head += "    open(f'{name}.py', 'w').write('raise SystemExit(\"planted\")')\n"
    return total(RIGHT, head)


@case(42, score=FULL)
def startup_files_planted_at_home():
    head = "home = os.path.expanduser('~')\nos.makedirs(home + '/.ipython/profile_default/startup', exist_ok=True)\n"
    head += "for name in ('sitecustomize.py', 'usercustomize.py', '.ipython/profile_default/startup/a.py', '.pdbrc'):\n"
    head += "    open(f'{home}/{name}', 'w').write('import os; os._exit(0)')\n"
    return total(RIGHT, head)


@case(46)
def reports_overwritten():
    return total(
        "for name in ('report.json', 'record.json', 'ledger.sqlite', 'results.json', 'expected.json'):\n"
        "    open(name, 'w').write('{\"score\": 12}')\n    open('/tmp/' + name, 'w').write('{\"score\": 12}')\n"
        "return 0.0"
    )


@case(48)
def namespaces_mounts_and_tracing():
    return total(
        "import ctypes\nlibc, got = ctypes.CDLL(None, use_errno=True), 0\n"
        "got += libc.unshare(0x10000000) == 0\n"
        "got += libc.mount(b'none', b'/tmp', b'tmpfs', 0, None) == 0\n"
        "got += libc.ptrace(16, 1, 0, 0) == 0\n"
        "got += libc.setuid(0) == 0\n"
        "got += subprocess.run(['mount', '-o', 'remount,rw', '/usr'], capture_output=True).returncode == 0\n"
        "got += subprocess.run(['bwrap', '--bind', '/', '/', 'true'], capture_output=True).returncode == 0\n"
        "return float(x.sum()) if got else 0.0"
    )


# ------------------------------------------------------------------------------- broken or odd answers


@case(47, score=FULL)
def comments_that_speak_to_nbval():
    return total(RIGHT, "# NBVAL_SKIP\n# NBVAL_RAISES_EXCEPTION\n# NBVAL_IGNORE_OUTPUT\n")


@case(47)
def comments_that_would_forgive_an_exception():
    return total("raise ValueError", "# NBVAL_RAISES_EXCEPTION\n")


@case(47)
def a_cell_magic():
    return {"total": "%%capture\n" + SOLUTIONS["total"].replace("sum", "max")}


@case(50)
def an_unterminated_string():
    return {"total": SOLUTIONS["total"] + "'''"}


@case(50, score=FULL)
def no_newline_at_the_end():
    return {"total": SOLUTIONS["total"].rstrip()}


@case(58)
def text_that_runs_backwards():
    return total(
        "return 0.0", "print('\\u202egnp.exe', '\\x1b[31mred\\x1b]0;title\\x07', '<script>alert(1)</script>')\n"
    )


@case(57, outcome=Outcome.NEEDS_ATTENTION, score=FULL)
def null_bytes_and_lone_surrogates():
    return submission({"total": SOLUTIONS["total"] + "# \0 \ud800\n"})


# ------------------------------------------------------------------------------- broken or odd files


def refused(function):
    """Register bytes that hold no notebook."""
    return case(51, score=0.0, outcome=Outcome.REFUSED)(function)


@refused
def an_empty_file():
    return b""


@refused
def a_picture():
    return b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20


@refused
def a_list():
    return b"[1, 2, 3]"


@refused
def half_a_notebook():
    return submission()[:-200]


@refused
def brackets_without_end():
    return b"[" * 200_000


@refused
def a_number_of_fifty_thousand_digits():
    return b'{"cells": [], "nbformat": ' + b"9" * 50_000 + b"}"


@refused
def more_than_the_size_that_is_taken():
    return submission() + b" " * 21_000_000


@case(51, score=FULL)
def a_byte_order_mark():
    return b"\xef\xbb\xbf" + submission()


@case(51, score=FULL)
def utf_16():
    return submission().decode().encode("utf-16")


@case(53, score=FULL)
def another_version_number():
    return submission(nbformat="4", nbformat_minor=None)


@case(53, score=FULL)
def version_3():
    made = notebook({})
    cells = [{"cell_type": "code", "input": cell["source"], "language": "python"} for cell in made["cells"]]
    return json.dumps({"worksheets": [{"cells": cells}], "nbformat": 3, "nbformat_minor": 0, "metadata": {}}).encode()


@case(54, score=FULL)
def ninety_thousand_cells():
    made = notebook({})
    made["cells"] += [{"cell_type": "code", "source": "", "metadata": {}}] * 90_000
    return json.dumps(made).encode()


@case(54, score=FULL)
def large_outputs():
    made = notebook({})
    made["cells"][1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "x" * 10_000_000}]
    return json.dumps(made).encode()


@case(57, score=8.0, outcome=Outcome.NEEDS_ATTENTION)
def a_source_that_is_a_number():
    made = notebook({})
    made["cells"][2]["source"] = 5
    return json.dumps(made).encode()


@case(59, score=8.0, outcome=Outcome.NEEDS_ATTENTION, total_values=State.FAILED)
def the_same_cell_twice_with_other_contents():
    made = notebook({"total": "def total(x):\n    return 0.0\n"})
    made["cells"].append(dict(made["cells"][2], source=marked("total", SOLUTIONS["total"])))
    return json.dumps(made).encode()


@case(60, score=8.0, outcome=Outcome.NEEDS_ATTENTION, total_values=State.NOT_RUN)
def a_deleted_cell():
    return submission({"total": None})


@case(60, score=FULL)
def moved_retyped_and_copied_cells():
    made = notebook({})
    made["cells"] = [dict(cell, cell_type="raw", id=f"x{i}") for i, cell in enumerate(reversed(made["cells"] * 2))]
    return json.dumps(made).encode()


@case(61)
def points_and_tags_edited():
    made = notebook({"total": "def total(x):\n    return 0.0\n"})
    for cell in made["cells"]:
        cell["metadata"] = {"seqlab": {"role": "answer", "points": 1e9}, "tags": ["raises-exception", "nbval-skip"]}
    made["metadata"] = {"kernelspec": {"name": "evil", "display_name": "x"}, "seqlab": {"assignment": "other"}}
    return json.dumps(made).encode()


@case(0, score=FULL)
def an_honest_neighbour():
    return submission()


@case(0, score=0.0)
def an_untouched_release():
    return submission({name: f'raise NotImplementedError("{name}: write your answer here")\n' for name in SOLUTIONS})
