"""Answers that pretend, tamper, hang, kill, fill or try to get out: what each hands in and what it must earn."""

from seqlab.grading.model import Outcome, State
from tests.grading.hostile.case import FULL, LIAR, NAME, PORT, RIGHT, SEND, WRONG, case, total
from tests.grading.tiny import SOLUTIONS, submission

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


@case(66, score=FULL)
def right_with_negative_zeros():
    return {"double": "def double(x):\n    return 2 * x + 0 * -abs(x)\n"}


@case(66)
def an_array_of_a_million_dimensions():
    return total(
        "value = {'type': 'array', 'dtype': '<f8', 'shape': [1] * 10**6, 'data': 'AAAAAAAAAAA='}\n"
        "send('display_data', {'data': {'application/vnd.seqlab.value+json': value}, 'metadata': {}})\n"
        "os._exit(0)",
        SEND,
    )


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


@case(16, score=FULL)
def the_hidden_check_itself_printed():
    return total(
        "shell = get_ipython()\nprint(shell.get_parent()['content']['code'])\n"
        "print(sys._getframe(1).f_globals.get('rng'), shell.user_ns.get('In'))\n"
        "import linecache\nprint([''.join(v[2]) for v in linecache.cache.values() if len(v) == 4][-3:])\n"
        "return float(x.sum())"
    )


@case(17, score=10.0, total_hidden=State.ERROR)
def hidden_inputs_in_the_kind_of_the_exception():
    return total(
        "if x.ndim == 1:\n    return float(x.sum())\n"
        "kinds = sorted((k for k in vars(__builtins__).values() if isinstance(k, type)), key=repr)\n"
        "kinds = [k for k in kinds if issubclass(k, ArithmeticError)]\n"
        "raise kinds[x.tobytes()[0] % len(kinds)](x.tolist(), get_ipython().get_parent()['content']['code'])"
    )


@case(17, score=10.0, total_values=State.PASSED)
def hidden_inputs_in_the_time_taken():
    return total(
        "time.sleep(0.001 * x.tobytes()[0])\nprint('.' * x.tobytes()[0])\nreturn float(x.sum()) + (x.ndim - 1)"
    )


@case(18)
def public_answers_learnt_by_heart():
    from seqlab.grading.emit import inputs

    known = inputs("total-values").normal(size=5).sum()
    return total(f"return {known!r}")


@case(49)
def output_changed_after_the_cell():
    return total(
        "global late\nlate = Late()\nreturn float(x.sum()) + 1",
        "import atexit\nfrom seqlab.grading.emit import emit\nclass Late:\n    def __del__(self): emit(0.0)\n"
        "atexit.register(lambda: emit(0.0))\n"
        "for name in ('SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1'):\n"
        "    signal.signal(getattr(signal, name), lambda *_: emit(0.0))\n",
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
        "if os.fork() == 0:\n    os.setsid()\n    if os.fork(): os._exit(0)\n    while True:\n"
        "        for folder in ('.', '/tmp', '/dev/shm', '/var/tmp', os.path.expanduser('~')):\n"
        "            try: open(f'{folder}/left-behind', 'a').write('late')\n"
        "            except OSError: pass\n"
        "        time.sleep(0.05)\nreturn float(x.sum())"
    )


@case(20)
def a_death_that_strikes_while_another_answer_runs():
    return total("threading.Timer(0.03, os._exit, (0,)).start()\nreturn 0.0")


@case(43)
def all_files_closed():
    return total("os.closerange(3, 1000)\nreturn 1.0")


@case(43)
def sockets_replaced_by_links():
    return total(
        "import stat\nfound = 0\n"
        "for root in [f'/{name}' for name in os.listdir('/') if name not in ('usr', 'proc', 'sys', 'lib')]:\n"
        "    for folder, _, names in os.walk(root):\n"
        "        if 'site-packages' in folder or '/lib/' in folder: continue\n"
        "        for path in (f'{folder}/{name}' for name in names):\n"
        "            try:\n"
        "                if not stat.S_ISSOCK(os.lstat(path).st_mode): continue\n"
        "                found += 1\n                os.unlink(path)\n                os.symlink('/etc/passwd', path)\n"
        "            except OSError: pass\n"
        "return float(x.sum()) if found else 0.0"
    )


@case(44)
def a_second_client_with_the_connections_key():
    return total(
        "import json, zmq\nfrom jupyter_client.session import Session\n"
        "kernel = get_ipython().kernel\n"
        "session, context, heard = Session(key=kernel.session.key), zmq.Context(), 0\n"
        "parent = get_ipython().get_parent()\n"
        "places = [line.split()[-1] for line in open('/proc/net/unix').read().splitlines()[1:] if '/' in line]\n"
        "places += [f'kernel-{n}' for n in range(1, 6)] + [f'/tmp/kernel-{n}' for n in range(1, 6)]\n"
        "for place in places:\n"
        "    client = context.socket(zmq.DEALER)\n    client.linger, client.rcvtimeo = 0, 20\n"
        "    try:\n        client.connect(f'ipc://{place}')\n"
        "        session.send(client, 'execute_request', {'code': 'emit(0.0)', 'silent': False})\n"
        "        heard += bool(client.recv_multipart())\n"
        "    except zmq.ZMQError: pass\n"
        "return float(x.sum()) if heard else 0.0"
    )


@case(44)
def frames_signed_with_the_key_written_into_the_connections():
    return total(
        "import stat\nkernel = get_ipython().kernel\nsession, parent = kernel.session, get_ipython().get_parent()\n"
        "value = {'data': {'application/vnd.seqlab.value+json': {'type': 'float', 'value': '0x0.0p+0'}}}\n"
        "frames = b''\n"
        "for kind, content in (('display_data', value | {'metadata': {}}), ('execute_reply', {'status': 'ok'}),\n"
        "                      ('status', {'execution_state': 'idle'})):\n"
        "    for part in session.serialize(session.msg(kind, content, parent=parent)):\n"
        "        frames += b'\\x03' + len(part).to_bytes(8, 'big') + part\n"
        "for name in os.listdir('/proc/self/fd'):\n"
        "    try:\n"
        "        if stat.S_ISSOCK(os.fstat(int(name)).st_mode):\n"
        "            socket.socket(fileno=os.dup(int(name))).send(frames, socket.MSG_DONTWAIT)\n"
        "    except OSError: pass\n"
        "return float(x.sum()) + 1"
    )


@case(44)
def a_reply_before_the_end():
    return total(
        """
kernel, parent = get_ipython().kernel, get_ipython().get_parent()
to = [parent["header"]["session"].encode()]
for name in dir(kernel):
    if "ident" in name:
        found = getattr(kernel, name)
        found = found.get() if hasattr(found, "get") and not isinstance(found, dict) else found
        to += list(found.values()) if isinstance(found, dict) else [found]
for stream in (getattr(kernel, "shell_stream", None), getattr(kernel, "control_stream", None)):
    for ident in to:
        try: kernel.session.send(stream, "execute_reply", {"status": "ok"}, parent, ident=ident)
        except Exception: pass
send("status", {"execution_state": "idle"})
time.sleep(0.3)
return float(x.sum()) + 1
""",
        SEND,
    )


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


@case(30)
def a_memory_bomb_of_shared_pages():
    return total(
        """
import mmap
kept = [mmap.mmap(-1, 100 << 20) for _ in range(15)]
for pages in kept: np.frombuffer(pages, np.uint8)[::4096] = 1
time.sleep(1)
return float(x.sum())
"""
    )


@case(30)
def a_memory_bomb_of_files_without_a_name():
    return total(
        """
block, kept = bytes(10 << 20), []
for _ in range(25):
    kept.append(os.memfd_create("bomb"))
    for _ in range(6): os.write(kept[-1], block)
time.sleep(1)
return float(x.sum())
"""
    )


@case(30)
def a_memory_bomb_of_segments_that_nobody_holds():
    return total(
        """
import ctypes
libc, size = ctypes.CDLL(None), 100 << 20
libc.shmat.restype = ctypes.c_void_p
for _ in range(15):
    place = libc.shmat(libc.shmget(0, size, 0o1600), None, 0)
    if place == ctypes.c_void_p(-1).value: raise MemoryError
    ctypes.memset(place, 1, size)
    libc.shmdt(ctypes.c_void_p(place))
time.sleep(1)
return float(x.sum())
"""
    )


@case(31)
def a_slow_leak():
    return total("kept = []\nwhile True:\n    kept.append(bytearray(b'x' * (8 << 20)))\n    time.sleep(0.001)")


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


@case(39, score=FULL)
def right_where_nothing_but_a_silent_loop_is_there():
    return total(
        "lines = [line.split(':') for line in open('/proc/net/dev').read().splitlines()[2:]]\n"
        "silent = all(name.strip() == 'lo' and not set(numbers.split()) - {'0'} for name, numbers in lines)\n"
        "routes = open('/proc/net/route').read().splitlines()[1:]\n"
        "return float(x.sum()) if silent and not routes else 0.0"
    )


@case(38)
def the_graders_own_machine_called():
    return total(
        "reached = 0\n"
        f"for place in (('127.0.0.1', {PORT}), ('0.0.0.0', {PORT}), ('localhost', {PORT})):\n"
        "    try: reached += bool(socket.create_connection(place, timeout=1))\n    except OSError: pass\n"
        "return float(x.sum()) if reached else 0.0"
    )


@case(39)
def an_abstract_socket_of_the_graders_machine():
    return total(
        "reached = 0\nfor kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):\n"
        "    s = socket.socket(socket.AF_UNIX, kind)\n"
        f"    try:\n        s.connect('\\0{NAME}')\n        s.send(b'x')\n        reached += 1\n"
        "    except OSError: pass\n"
        f"try: reached += bool(socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', {PORT})))\n"
        "except OSError: pass\n"
        f"listening = '@{NAME}' in open('/proc/net/unix').read()\n"
        "return float(x.sum()) if listening or reached > 1 else 0.0"
    )


@case(39)
def a_name_looked_up_and_the_metadata_address():
    return total(
        "reached = 0\n"
        "for ask in (lambda: socket.getaddrinfo('example.com', 80),\n"
        "            lambda: socket.create_connection(('169.254.169.254', 80), timeout=1),\n"
        "            lambda: socket.create_connection(('fd00:ec2::254', 80), timeout=1),\n"
        "            lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1),\n"
        "            lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),\n"
        "            lambda: socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM).connect((2, 22))):\n"
        "    try:\n        ask()\n        reached += 1\n    except OSError: pass\n"
        "return float(x.sum()) if reached else 0.0"
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


@case(47, score=FULL)
def line_magics_and_the_shell():
    return total(RIGHT, "%load_ext autoreload\n%autoreload 2\n!echo from the shell\n%config Application.log_level=10\n")


@case(47)
def a_cell_of_another_language():
    return {"total": "%%javascript\nIPython.notebook.kernel.execute('emit(0)')\n"}


@case(50)
def an_unterminated_string():
    return {"total": SOLUTIONS["total"] + "'''"}


@case(50, score=FULL)
def no_newline_at_the_end():
    return {"total": SOLUTIONS["total"].rstrip()}


@case(58, total_values=State.ERROR)
def a_name_that_only_looks_right():
    return {"total": "def t\u043etal(x):\n    return float(x.sum())\n"}


@case(63, score=FULL)
def html_and_terminal_codes_printed():
    return total(
        RIGHT,
        "print('</pre></script><script>alert(1)</script><img src=x onerror=alert(1)>', '\\x1b]8;;http://a\\x07link')\n"
        "print('\\x1b[2J\\x1b[31mred\\x9b31m', '<!--', ']]>', '&lt;', '\\x00', '[bold]rich[/bold]', '\\u2028')\n"
        "from IPython.display import HTML, Javascript, display\ndisplay(HTML('<script>alert(2)</script>'))\n"
        "display(Javascript('alert(3)'))\n",
    )


@case(63)
def html_in_the_name_of_an_exception():
    return total(
        "raise Odd('</script><script>alert(1)</script>\\x1b[31m\\r\\n<b onclick=alert(1)>')",
        "Odd = type('<img src=x onerror=alert(1)>', (Exception,), {})",
    )


@case(58)
def text_that_runs_backwards():
    return total(
        "return 0.0", "print('\\u202egnp.exe', '\\x1b[31mred\\x1b]0;title\\x07', '<script>alert(1)</script>')\n"
    )


@case(57, outcome=Outcome.NEEDS_ATTENTION, score=FULL)
def null_bytes_and_lone_surrogates():
    return submission({"total": SOLUTIONS["total"] + "# \0 \ud800\n"})
