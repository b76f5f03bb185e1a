"""What is done to each proxy, and what is kept of it: the JSON that grpcroute wrote, and when what was changed was in
force. Each try has a proxy and servers of its own."""
import contextlib
import json
import shlex
import signal
import socket
import ssl

from subjects import ROOT, ROUTES, folder_of, seconds_until
from testenv.grpcroute import BIN, Server
from testenv.process import Process

AGENTS = 40
EFFECT_S = 15
MORE_S = 300  # what a run of limits takes beside --within: what it does after it, and a busy machine
QUICK_SHAPES = ("age_stream", "idle", "idle_client", "idle_server", "half_close", "idle_connection", "headers_first",
                "status")
NEEDS = ROOT / "tests/report/needs.txt"


class Failed(Exception):
    """Why there is no result."""


class Run:
    """One proxy in one try: `command` is what a person would type, `report` what grpcroute made of it."""

    def __init__(self, site, subject, folder, options):
        self.site, self.folder, self.options = site, folder, options
        self._stack = contextlib.ExitStack()
        self.command, self.report, self.effect = None, None, None
        self.certs = site.certs(folder)
        try:
            self.v1 = [self._server("v1", name) for name in ("v1-a", "v1-b")]
            self.v2 = [self._server("v2", "v2-a")]
            self.proxy = self._stack.enter_context(contextlib.closing(
                subject.runs(self.certs, folder, list(self.v1), list(self.v2))))
        except (AssertionError, OSError) as error:
            self.close()
            raise Failed(f"it could not be started: {last_line(error)}") from None

    def _server(self, version, name):
        return self._stack.enter_context(contextlib.closing(Server(version, name)))

    def close(self):
        self._stack.close()

    def add_servers(self):
        self.proxy.v1 += [self._server("v1", name) for name in ("v1-c", "v1-d")]

    def to_proxy(self):
        return ["--target", self.proxy.target, "--cacert", str(self.certs / "ca.pem")]

    def grpcroute(self, *args, deadline_s=60):
        """Runs it to its end; returns (exit code, output)."""
        process = Process([BIN, *args])
        try:
            code = process.wait(deadline_s)
        except Exception as error:
            process.kill()
            raise Failed(f"grpcroute {args[0]}: {last_line(error)}") from None
        finally:
            process.close()
        return code, process.output

    def reported(self, command, *args, deadline_s):
        """Runs what makes a report, and keeps it."""
        file = self.folder / "report.json"
        self.command = shown(command, *args)
        code, said = self.grpcroute(command, *self.to_proxy(), *args, "--json-file", str(file), deadline_s=deadline_s)
        self.read(file, code, said)

    def read(self, file, code, said):
        if not file.exists():
            raise Failed(f"exit code {code}: {last_line(said)}")
        self.report = json.loads(file.read_text())

    def answers(self, version="v1.1", *args):
        return self.grpcroute("verify", *self.to_proxy(), "--versions", version, "-s", "4", "--messages", "1",
                              "--timeout", "3s", *args)[0] == 0


def last_line(text):
    lines = [line.strip() for line in str(text).splitlines() if line.strip()]
    return lines[-1][-200:] if lines else "it said nothing"


def shown(*words):
    """With the places of a reader's machine."""
    named = {str(ROUTES): str(ROUTES.relative_to(ROOT))}
    words = [named.get(str(word), str(word)) for word in words]
    return shlex.join(["grpcroute", words[0], "--target", "localhost:8443", "--cacert", "ca.pem", *words[1:]])


# ---- without a fault -------------------------------------------------------------------------------------------------


def needs(options):
    lines = NEEDS.read_text().replace("@WITHIN@", options.within).splitlines()
    return "\n".join(line for line in lines if not options.quick or line.split()[0] in QUICK_SHAPES) + "\n"


def try_limits(run):
    contract = run.folder / "needs.txt"
    contract.write_text(needs(run.options))
    args = ["--within", run.options.within, *(["--shapes", ",".join(QUICK_SHAPES)] if run.options.quick else [])]
    run.reported("limits", *args, "--contract", str(contract), deadline_s=run.options.within_s + MORE_S)
    run.command = shown("limits", *args, "--contract", "needs.txt")


def try_boundary(run):
    run.reported("verify", "--routes", ROUTES, "--boundary", deadline_s=120)


# ---- with one --------------------------------------------------------------------------------------------------------


def with_fault(run, act, *args, versions="v1.1,v2.1", words, watched_s):
    """Runs failover-test with act() as its fault, of which act returns what is kept as `effect`."""
    begun, done, file = (run.folder / name for name in ("begun", "done", "report.json"))
    fault = f"touch {begun}; n=0; while [ ! -e {done} ] && [ $n -lt 1800 ]; do sleep 0.05; n=$((n+1)); done"
    args = ["--agents", str(AGENTS), "--versions", versions, "--roll-call", *args]
    run.command = shown("failover-test", *args, "--fault", words)
    test = Process([BIN, "failover-test", *run.to_proxy(), *args, "--fault", fault, "--json-file", file])
    try:
        if seconds_until(lambda: begun.exists() or not test.running(), 60) is None or not begun.exists():
            raise Failed(f"the fault did not begin: {last_line(test.output)}")
        run.effect = act()
        done.touch()
        run.read(file, test.wait(watched_s + 120), test.output)
    finally:
        done.touch()
        test.kill()
        test.close()


def took(seconds):
    return {"in_force_after_s": seconds}


def try_reload(run):
    def reload():
        run.proxy.with_v3 = True
        run.proxy.apply()
        return took(seconds_until(lambda: run.answers("v3.1", "--expect", "v3.1=v2"), EFFECT_S))
    if run.answers("v3.1", "--expect", "v3.1=v2"):
        raise Failed("the new route was there before")
    with_fault(run, reload, "--settle", "2s", words=run.proxy.reload_words, watched_s=2)


def try_rotate(run):
    def rotate():
        new = ssl.PEM_cert_to_DER_cert(run.site.rotate(run.certs))
        run.proxy.apply()
        return took(seconds_until(lambda: certificate(run) == new, EFFECT_S))
    with_fault(run, rotate, "--settle", "2s", words=run.proxy.reload_words, watched_s=2)


def certificate(run):
    """That a new connection is shown."""
    context = ssl.create_default_context(cafile=run.certs / "ca.pem")
    context.set_alpn_protocols(["h2"])
    with contextlib.suppress(OSError):
        with socket.create_connection(("127.0.0.1", run.proxy.port), 5) as plain:
            with context.wrap_socket(plain, server_hostname="localhost") as tls:
                return tls.getpeercert(binary_form=True)
    return None


def try_scale(run):
    def scale():
        run.add_servers()
        run.proxy.apply()
        return {"came": [server.ident for server in run.proxy.v1[2:]]}
    with_fault(run, scale, "--settle", "6s", words=run.proxy.reload_words, watched_s=6)


def hit(run, number):
    """One of the two servers of v1 gets the signal."""
    run.v1[0].send_signal(number)
    return {"hit": run.v1[0].ident}


def try_kill(run):
    with_fault(run, lambda: hit(run, signal.SIGKILL), "--settle", "5s", versions="v1.1",
               words="kill -KILL SERVER", watched_s=5)


def try_stop(run):
    """The stopped server goes on when it was watched, to end as the others do."""
    try:
        with_fault(run, lambda: hit(run, signal.SIGSTOP), "--max-gap", "20s", "--settle", "25s",
                   versions="v1.1", words="kill -STOP SERVER", watched_s=25)
    finally:
        run.v1[0].send_signal(signal.SIGCONT)


def try_restart(run):
    with_fault(run, run.proxy.restart, "--settle", "5s", words="systemctl restart PROXY", watched_s=50)


TRIES = {"limits": try_limits, "boundary": try_boundary, "reload": try_reload, "rotate": try_rotate,
         "scale": try_scale, "kill": try_kill, "stop": try_stop, "restart": try_restart}


def attempt(site, subject, name, parent, options):
    """Returns what is kept of it, as JSON; raises Failed."""
    run = Run(site, subject, folder_of(parent, f"{subject.name}.{name}"), options)
    kept = {}
    try:
        if seconds_until(run.answers, 20) is None:
            raise Failed("it routes no stream of v1.1 within 20 s")
        TRIES[name](run)
        kept = {"command": run.command, "report": run.report, "effect": run.effect}
    except AssertionError as error:
        raise Failed(last_line(error)) from None
    finally:
        try:
            run.close()
        except AssertionError as error:  # a crash
            kept["ended_badly"] = str(error).splitlines()[0]
    return kept
