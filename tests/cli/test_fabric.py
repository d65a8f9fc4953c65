"""``noc`` and ``dram``: curves as CSV, files with figures, and refusals in one line."""

import csv
import io
import json

import pytest

from tlm.cli import main
from tlm.config.tables.dram_timing import load_dram_timing


def table(text):
    """The rows a verb printed."""
    return list(csv.DictReader(io.StringIO(text)))


def test_noc_prints_a_curve(capsys, tmp_path):
    """One line a load, latency rising with it, and the same rows in a file beside the figure."""
    words = "noc --mesh 4x4 --traffic uniform --packet-flits 5 --vcs 2 --rate 0.1 --rate 0.5"
    options = ["--warmup", "300", "--cycles", "1500", "--out", str(tmp_path)]
    assert main(words.split() + options) == 0
    printed = capsys.readouterr().out
    first, second = table(printed)
    assert float(first["latency"]) < float(second["latency"])
    assert first["stable"] == "True"
    assert (tmp_path / "noc.csv").read_text() == printed
    assert (tmp_path / "plots" / "noc.png").stat().st_size > 10_000


def test_noc_sweeps_to_saturation(capsys):
    """Without a rate the curve ends with the first load that is not stable."""
    words = "noc --mesh 3x3 --packet-flits 2 --vcs 1 --warmup 300 --cycles 3000 --stages 3"
    assert main(words.split()) == 0
    rows = table(capsys.readouterr().out)
    assert [row["stable"] for row in rows[-2:]] == ["True", "False"]


@pytest.mark.parametrize("model", ["ideal", "packet"])
def test_noc_of_the_other_models(capsys, model):
    """The other models run the same traffic."""
    words = f"noc --mesh 4x4 --rate 0.2 --warmup 100 --cycles 500 --model {model}"
    assert main(words.split()) == 0
    assert float(table(capsys.readouterr().out)[0]["latency"]) < 30


def test_dram_prints_a_curve(capsys, tmp_path):
    """Bandwidth falls as requests come further apart; energy and counts are there."""
    words = "dram --preset DDR4-2400 --pattern rand_rd --count 800 --interval 8 --interval 40"
    assert main([*words.split(), "--window", "4", "--out", str(tmp_path)]) == 0
    rows = table(capsys.readouterr().out)
    assert [row["load"] for row in rows] == ["int:8", "int:40", "win:4"]
    assert float(rows[0]["bandwidth_gb_s"]) > float(rows[1]["bandwidth_gb_s"])
    assert rows[0]["reads"] == "800" and float(rows[0]["energy_uj"]) > 0
    assert (tmp_path / "plots" / "dram.svg").is_file()


def test_dram_takes_its_own_timings_and_requests(capsys, tmp_path):
    """A timing file and a request file of the user's own."""
    from tlm.config.tables.dram_timing import DEVICE_FOLDER

    device = tmp_path / "mine.yaml"
    text = (DEVICE_FOLDER / "DDR4-2400.yaml").read_text()
    device.write_text(text.replace("cl_clk: 17", "cl_clk: 20"))
    requests = tmp_path / "requests.txt"
    requests.write_text("".join(f"R {64 * i}\n" for i in range(20)))
    for preset, latency_clk in (("DDR4-2400", 21), (str(device), 24)):
        words = ["dram", "--preset", preset, "--requests", str(requests), "--window", "1"]
        assert main(words) == 0
        (row,) = table(capsys.readouterr().out)
        assert float(row["read_latency_min_ns"]) == pytest.approx(latency_clk * 0.833)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("noc --mesh 8", '--mesh: expected COLUMNSxROWS (such as 8x8), got "8"'),
        ("noc --stages 7 --mesh 2x2", "2, 3 or 4 stages, got 7"),
        ("noc --rate 9 --mesh 2x2", "at most 1 packet per node and cycle"),
        ("dram --preset DDR9 --pattern seq_rd", "no device 'DDR9'"),
        ("dram --preset DDR4-2400", "give either --pattern NAME or --requests FILE"),
        ("dram --pattern seq_rd --interval -3", "expected sat, int:CLOCKS or win:REQUESTS"),
        ("dram --requests /nowhere.txt", "/nowhere.txt: cannot be read"),
        ("dram --preset /nowhere.yaml --pattern seq_rd", "nowhere.yaml: cannot be read"),
    ],
)
def test_mistakes_are_one_line(capsys, words, text):
    """A wrong option ends with exit code 2 and one line that names it."""
    assert main(words.split()) == 2
    error = capsys.readouterr().err
    assert text in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("address", ["0x200000000", "0x" + "f" * 40, "9" * 40])
def test_an_address_beyond_the_device_is_refused(capsys, tmp_path, address):
    """A channel of DDR4-2400 has 8 GiB here; the last burst of it is in, all beyond is out."""
    capacity = load_dram_timing("DDR4-2400").capacity_bytes
    assert capacity == 1 << 33
    path = tmp_path / "requests.txt"
    path.write_text(f"R {capacity - 64:#x}\n")
    assert main(["dram", "--requests", str(path)]) == 0
    path.write_text(f"R 0x0\nR {address}\n")
    capsys.readouterr()
    assert main(["dram", "--requests", str(path)]) == 2
    assert "request 2: address" in capsys.readouterr().err


def test_noc_measures_every_given_rate(capsys):
    """A load beyond saturation does not hide those after it."""
    words = "noc --mesh 3x3 --traffic hotspot1 --cycles 2000 --rate 0.9 --rate 0.05"
    assert main(words.split()) == 0
    rows = table(capsys.readouterr().out)
    assert [(row["offered"], row["stable"]) for row in rows] == [("0.9", "False"), ("0.05", "True")]


@pytest.mark.parametrize("model", ["router", "packet"])
def test_noc_ends_where_no_packet_is_sent(capsys, tmp_path, model):
    """Next to no load ends with the window; a latency that nothing has is null in JSON."""
    words = f"noc --mesh 3x3 --model {model} --rate 1e-9 --json --out {tmp_path}"
    assert main(words.split()) == 0
    (row,) = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert (row["latency"], row["packets"], row["stable"]) == (None, 0, True)


@pytest.mark.parametrize("count", [1, 2, 20, 63, 64, 200, 640])
@pytest.mark.parametrize("line", ["R {:#x}", "W {:#x}"])
@pytest.mark.parametrize("load", [[], ["--window", "1"], ["--interval", "0.5"]])
def test_no_bandwidth_above_the_peak(capsys, tmp_path, count, line, load):
    """A short list says nothing of a steady bandwidth, and no figure exceeds the device's peak."""
    requests = tmp_path / "requests.txt"
    requests.write_text("".join(line.format(64 * i) + "\n" for i in range(count)))
    assert main(["dram", "--requests", str(requests), *load]) == 0
    printed = capsys.readouterr()
    (row,) = table(printed.out)
    peak = float(row["peak_gb_s"])
    assert float(row["total_gb_s"]) <= peak
    if count < 640:
        assert row["bandwidth_gb_s"] == "" and "too few requests" in printed.err
    elif row["bandwidth_gb_s"]:
        assert 0 < float(row["bandwidth_gb_s"]) <= peak
