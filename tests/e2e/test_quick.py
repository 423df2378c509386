"""Quick commands: a few words that stand for a configuration."""
import pytest

from support.proxy import run
from support.wire import request


def test_a_folder_is_served_by_one_command(start, room):
    www = room / 'my "www"'
    www.mkdir()
    (www / "index.html").write_text("home")
    (www / "data.json").write_text("{}")
    (room / "secret").write_text("s")
    proxy = start(args=["file-server", "--root", www, "--listen", "127.0.0.1:0"])
    with proxy.connect() as c:
        assert c.get("/").body == b"home"
        r = c.get("/data.json")
        assert (r.status, r.get("Content-Type"), r.body) == (200, "application/json", b"{}")
        assert c.get("/none").status == 404
        assert c.get("/%2e%2e/secret").status == 400


def test_the_folder_may_be_relative(room):
    (room / "www").mkdir()
    done = run("file-server", "--root", "www", "--print", cwd=room)
    assert done.returncode == 0 and f'root "{room}/www";' in done.stdout


LIST = """# hosts that nobody reaches
.games.example     # and all below
ads.example\r
  except
plain

198.51.100.0/24
203.0.113.1-203.0.113.9
"""


@pytest.fixture
def deny_list(room):
    path = room / "deny"
    path.write_text(LIST)
    return path


def test_what_a_list_names_is_denied(start, deny_list):
    proxy = start(args=["forward-proxy", "--listen", "127.0.0.1:0", "--deny-list", deny_list])

    def why(host):
        with proxy.connect() as c:
            r = c.ask(request("GET", f"http://{host}/", host))
            assert r.status == 403, (host, r)
            return r.body

    for host in ("games.example", "chess.games.example", "ads.example", "except", "plain", "198.51.100.7", "203.0.113.5"):
        assert b"category denied" in why(host), host
    for host in ("127.0.0.1", "10.0.0.1"):
        assert b"address floor" in why(host), "not in the list: the next rule lets it pass, the floor does not"


def test_a_bad_line_of_a_list_is_named(deny_list):
    deny_list.write_text("good.example\n# c\nbad*name\n10.0.0.0/33\n")
    done = run("forward-proxy", "--deny-list", deny_list)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.splitlines()[0] == f'bifrons: {deny_list}:3: "bad*name" may hold "*" only as its whole first label'
    assert f"{deny_list}:4:" in done.stderr


def test_an_empty_list_denies_nothing(deny_list):
    deny_list.write_text("# nothing\n")
    done = run("forward-proxy", "--deny-list", deny_list, "--print")
    assert done.returncode == 0 and "list denied" not in done.stdout and "rule deny" not in done.stdout


@pytest.mark.parametrize("words", [["reverse-proxy", "--from", ":8080", "--to", ":3000"], ["forward-proxy"],
                                   ["forward-proxy", "--listen", ":3128", "--allow", "10.0.0.0/8", "--deny-list", "LIST"],
                                   ["file-server", "--root", "."]], ids=" ".join)
def test_what_is_printed_is_a_good_file(room, deny_list, words):
    done = run(*[str(deny_list) if w == "LIST" else w for w in words], "--print")
    assert done.returncode == 0 and done.stderr == ""
    config = room / "printed.conf"
    config.write_text(f"pid {room}/pid;\nerror_log {room}/log;\n{done.stdout}")
    tested = run("-t", "-q", "-c", config, "-p", room)
    assert tested.returncode == 0 and tested.stderr == ""


@pytest.mark.parametrize("command", ["reverse-proxy", "forward-proxy", "file-server"])
def test_each_command_has_its_help(command):
    done = run(command, "-h")
    assert done.returncode == 0 and done.stdout == "" and done.stderr.startswith(f"Usage: bifrons {command} ")
    assert "--print" in done.stderr and f"bifrons {command}" in run("-h").stderr
