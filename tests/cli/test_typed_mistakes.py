"""What people mistype, command by command: one true line, exit code 2, and nothing is left behind.

The table reads `command -> how its line begins`. Each command is typed in a folder with these:
jobs (`attention.json` with products of tensors, `loop.json` with recurrence, `cut.h5`, `text.h5`),
a finished run (`run`), damaged ones (`run-without-figures`, `run-with-cut-trace`), an empty folder
(`empty folder`), chips and lists with a mistake each.
"""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pytest

from tests.program.graphs import builder
from tests.program.loops import beside_the_input
from tests.program.test_matmul import attention_layers
from tlm.cli import main
from tlm.running.runner import run_job
from tlm.workload.bundled import bundled_folder
from tlm.workload.network import Network
from tlm.workload.network_file import write_network

JOBS = """
run nothing -> unknown workload "nothing"; there are: cifar-sew, cifar-vgg8,
run mnist-csn -> unknown workload "mnist-csn"; did you mean "mnist-csnn"? there are:
run DIGITS -> unknown workload "DIGITS"; did you mean "digits"? there are:
run s-resnet18 -> s-resnet18 is a network without recorded tensors; say how to draw its masks:
run net.py -> net.py is a network without recorded tensors; say how to draw its masks: net.py:dense
run attention.json -> attention.json: expected JSON of schema 'tlm-drawn-job'; give the job.json
run 'empty folder' -> empty folder: this is a folder; expected a job's name, or its file
run 'empty folder/net.h5' -> empty folder/net.h5: expected a workload file, there is none; check
run text.h5 -> text.h5: file: expected an HDF5 file, got other content; give a .h5 file
run cut.h5 -> cut.h5: file: expected a whole HDF5 file, got
run wrong.yaml -> wrong.yaml: file: expected an HDF5 file, got other content
run list.json:dense -> list.json: expected JSON of schema 'tlm-network'; give a file that
run half.json:dense -> half.json: not readable as JSON (
run none.json:dense -> none.json: expected a network's file, there is none; check the path
run none.py:dense -> none.py: expected a network's file, there is none; check the path
run 'digits[B=0]' -> "[B=0]": expected B and T, 1 to 4096, each once, such as [B=1,T=4]
run 'digits[B=-1]' -> "[B=-1]": expected B and T, 1 to 4096
run 'digits[B=5000]' -> "[B=5000]": expected B and T, 1 to 4096
run 'digits[b=2]' -> "[b=2]": expected B and T, 1 to 4096
run 'digits[B=2' -> "digits[B=2": expected JOB, JOB[B=64,T=8] or NETWORK[B=1]:ACTIVITY
run s-resnet18: -> "s-resnet18:": expected JOB, JOB[B=64,T=8] or NETWORK[B=1]:ACTIVITY
run s-resnet99:dense -> unknown network "s-resnet99"; there are: s-resnet18, s-resnet50, s-vgg16
run 's-resnet18:bernoulli(2)' -> activity "bernoulli(2)": expected a density in 0..1
run 's-resnet18:bernouli(0.1)' -> activity "bernouli(0.1)": expected dense, bernoulli(DENSITY) or
run 's-resnet18:like(nothing)' -> unknown workload "nothing"; there are:
run 's-resnet18:like(spinaps-mnist)' -> spinaps-mnist.h5: spinaps-mnist was recorded for inference
run fed-mnist -> fed-mnist is a federated run, of several workers: python -m tlm federated fed-mnist
run loop.json:dense -> loop: layer fc0 has an operand with a delay, of layer fc0 (recurren
run loop.json:dense --mode inference -> loop: layer fc0 has an operand with a delay
counterfactual spinaps-mnist -> spinaps-mnist.h5: spinaps-mnist was recorded for inference; masks
workload info text.h5 -> text.h5: file: expected an HDF5 file, got other content
workload check cut.h5 -> cut.h5: file: expected a whole HDF5 file, got
workload plot nothing -> unknown workload "nothing"; there are:
workload plot digits --out text.h5 -> text.h5/plots: cannot be written (Not a directory)
workload info digits more -> unexpected argument "more"; see python -m tlm workload info --help
federated digits -> digits is no federated run but one job: python -m tlm run digits
federated fed-mnst -> unknown federated run "fed-mnst"; did you mean "fed-mnist"? there are:
federated 'empty folder' -> empty folder/federated.json: the file: expected the JSON of a federated
federated empty.yaml -> empty.yaml: expected keys with values (such as `recording: fed-mnist`)
federated fed-mnist --jobs 0 -> Invalid value for '--jobs': Input should be greater than or equal
record nothing -> unknown recipe "nothing"; there are:
record mnist-fcc -> unknown recipe "mnist-fcc"; did you mean "mnist-fc"? there are:
record spinaps-motions -> no training data: give --data a folder with aeon-
record spinaps-motions --data 'empty folder' -> empty folder/aeon-
"""

RUNS = """
run digits --iteration 5 -> digits.h5: no iteration 5; recorded are 0, 264, 527: choose one of them
run digits --iteration -1 -> digits.h5: no iteration -1; recorded are 0, 264, 527: choose one of
run digits --iteration 0 --iterations all -> iteration: expected none where all are asked for
run digits --epoch 100 -> epoch: its mean is over all iterations; give --iterations all as well
run digits --mode inference --batch 0 -> batch: digits has 16 recorded samples, not 0; expected
run digits --batch 2 -> batch: a training iteration runs as it was recorded; use it with mode inf
run digits --stop first-spike -> stop: a training iteration runs as it was recorded; use it with
run spinaps-mnist --mode training -> spinaps-mnist.h5: spinaps-mnist was recorded for inference
run digits --weights 3:2 -> weights "3:2": expected dense, recorded, density=0.3, magnitude=0.3
run digits --weights density=2 -> weights "density=2": expected dense, recorded, density=0.3
run digits --activity sparse -> Invalid value for '--activity': 'sparse' is not one of 'recorded'
run digits --kernel gem5 -> Invalid value for '--kernel': 'gem5' is not one of 'simpy', 'compiled'
run digits --trace-budget 5 -> --trace-budget: expected a number of bytes with its unit (such as
run digits --trace-window 20us:10us -> --trace-window: ends before it begins: "20us:10us"; give
run digits --mem x -> --mem: expected a number of bytes with its unit (such as "256 B"), got "x"
run digits --mem 1KB -> the program itself needs about
run digits --mapping none.yaml -> none.yaml: cannot be read: no such file
run digits --mapping run/mapping.yaml -> run/mapping.yaml: workload: written for 'small', not for
run small.json:dense --out run -> run: the folder is not empty, and runs are never overwritten; give
run small.json:dense --out text.h5 -> text.h5: cannot make the run folder (File exists); give a writ
run small.json:dense --out text.h5/run -> text.h5/run: cannot make the run folder (Not a directory);
map digits --budget 10 -> --budget: expected a time with its unit (such as "60 ns"), got "10"
map digits --out none/mapping.yaml -> none/mapping.yaml: cannot be written (No such file or dir
map digits --out 'empty folder' -> empty folder: cannot be written (Is a directory)
map digits --from none.yaml -> none.yaml: cannot be read: no such file
map loop.json:dense -> loop: layer fc0 has an operand with a delay
sweep digits --over cores -> --over: 'cores': expected KEY=VALUE,VALUE,..., such as core.outstanding
sweep digits --over cors=1,2 -> --over: cors: unknown key; did you mean "cores"?
sweep digits --over cores=0 -> --over: cores: expected 1 or more, got 0
sweep digits --set cors=1 --over cores=2 -> --set: cors: unknown key; did you mean "cores"?
sweep digits --over cores=2,2 -> --over: 'cores=2,2': a value stands there twice; give each once
sweep loop.json:dense --over cores=1,2 -> loop: layer fc0 has an operand with a delay
sweep spinaps-mnist --mode training --over cores=1,2 -> spinaps-mnist.h5: spinaps-mnist was rec
sweep digits --over cores=20 --out text.h5 -> text.h5: cannot make the run folder (File exists)
"""

CHIPS = """
run digits --chip nothing -> chip "nothing": no preset or file of that name; known are h2learn
run digits --chip 'empty folder' -> empty folder: cannot be read: no regular file
run digits --chip cut.h5 -> cut.h5: expected UTF-8 text; byte 0 is not
run digits --chip wrong.yaml -> wrong.yaml:2: noc.lnik: unknown key; did you mean "noc.link"?
run digits --chip twice.yaml -> twice.yaml:2: duplicate key "extends": given twice in one group
run digits --chip parent.yaml -> parent.yaml: extends: no preset "neuromc20"; did you mean "neur
run digits --chip open.yaml -> open.yaml:2: not valid YAML: expected ',' or ']'
run digits --chip empty.yaml -> empty.yaml: expected keys with values (such as `name: my-chip`)
run digits --set cores -> --set: expected KEY=VALUE (such as noc.link="64 bit"), got "cores"
run digits --set cores= -> --set: cores: expected a whole number, got nothing
run digits --set core.clock=400 -> --set: core.clock: expected a frequency with its unit (such as
run digits --set core.clock='400 mHz' -> --set: core.clock: expected a frequency with its unit
area wrong.yaml -> wrong.yaml:2: noc.lnik: unknown key; did you mean "noc.link"?
config show wrong.yaml -> wrong.yaml:2: noc.lnik: unknown key; did you mean "noc.link"?
config check neuromc-20 --workload loop.json:dense -> loop: layer fc0 has an operand with
config chek neuromc-20 -> No such command 'chek'. Did you mean 'check'?
"""

FOLDERS = """
explain 'empty folder' -> empty folder/summary.json: no such file; give the folder of a finished run
explain run-without-figures -> run-without-figures/summary.json: no such file; give the folder of
explain run-with-cut-trace -> run-with-cut-trace/trace.h5: damaged trace: cut short
explain run/summary.json -> run/summary.json: this is a file; give the folder of a finished run
report none -> none: no such folder; give the folder of a finished run
report run-with-cut-trace -> run-with-cut-trace/trace.h5: damaged trace: cut short
plot 'empty folder' -> empty folder/energy.csv: no such file; give the folder of a finished run
compare run -> compare: expected at least two run folders, got one
compare run none -> none: no such folder; give the folder of a finished run
export run -> export: nothing to write; give --perfetto, --csv, --dram-requests or --noc-messages
export run --csv --out text.h5 -> text.h5: cannot be written (File exists)
export run-with-cut-trace --csv -> run-with-cut-trace/trace.h5: damaged trace: cut short
rerun 'empty folder' -> empty folder/manifest.json: cannot be read (no such file); give a folder
rerun run --workload digits -> run/manifest.json: workload_sha256 was
gpu loop.json:dense -> loop: layer fc0 reads an earlier step (recurrence), of which no kernels
gpu digits --run none -> none: cannot be read (No such file or directory); give the folder of a fin
gpu digits --run run -> run: expected a run of digits, it is of small
gpu digits --out plots -> --out: is for --validate; leave it out, or give --validate as well
gpu digits --counterfactual half.json -> --counterfactual: is for --validate; leave it out, or give
gpu digits --validate -> --validate: takes its own networks; leave digits out
"""

MODELS = """
noc --mesh 4xx4 -> --mesh: expected COLUMNSxROWS (such as 8x8), got "4xx4"
noc --traffic rain -> traffic 'rain' is unknown; there are uniform, transpose,
noc --rate nan -> rate: expected more than 0 and at most 1 packet per node and cycle, got nan
noc --out text.h5 --mesh 2x2 -> text.h5: cannot be written (File exists)
dram -> dram: give either --pattern NAME or --requests FILE
dram --preset DDR9 --pattern seq_rd -> --preset: no device 'DDR9'; there are DDR3-1600
dram --pattern rain -> DRAM pattern 'rain' is unknown; there are seq_rd,
dram --pattern seq_rd --interval 0 -> DRAM load 'int:0': expected sat, int:CLOCKS or win:REQUESTS
dram --pattern seq_rd --window 0 -> DRAM load 'win:0': expected sat, int:CLOCKS or win:REQUESTS
dram --pattern seq_rd --map rows -> DRAM address map 'rows': unknown field 'rows'; fields: row bank
dram --pattern seq_rd --out text.h5 -> text.h5: cannot be written (File exists)
dram --requests text.h5 -> --requests: text.h5: line 1: expected "R ADDRESS" or "ADDRESS W"
validate --reference 'empty folder' -> --reference: empty folder/dram/configs.json: cannot be read:
validate --out text.h5 -> text.h5: cannot be written (File exists)
synapses -> expected SOURCE: a layer (mnist-fc:fc1), a .npy file or a shape (784x128)
synapses digits -> digits: name a layer, as in digits:conv0; there are: conv0, conv1, fc2
synapses attention.json:dense:matmul3 -> attention:matmul3 has no weights (matmul); those that have:
synapses text.npy -> text.npy: expected an array in NumPy's .npy format; write it with numpy.save
synapses 0x0 -> 0x0: expected 1 to 16,777,216 weights, got 0; take a smaller shape
synapses 10x10 --width 99 -> a weight has 2 to 16 bits, not 99
synapses 10x10 --density 2 -> --density: expected numbers from 0 to 1 such as 0.1,0.5 or 0.05..1
synapses 10x10 --plot net.foo -> --plot: expected a file that ends in .png, got 'net.foo'
synapses --published 10x10 -> --published: shows the published table alone; leave 10x10 out
"""

IMPORTS = """
workload import none.csv -> none.csv: cannot be read: no such file
workload import text.h5 -> text.h5: expected .nir (NIR), .csv (SCALE-Sim) or .yaml (ZigZag, Timeloop
workload import word.csv -> word.csv:3: expected LAYER, and IFMAP height and width, filter height
workload import short.csv -> short.csv:2: expected LAYER, and IFMAP height and width, filter height
workload import head.csv -> head.csv: expected at least one layer, there is none
workload import wrong.yaml -> wrong.yaml: expected a list of layers with "equation" and "loop_sizes"
workload import latin.yaml -> latin.yaml: expected UTF-8 text; byte 8 is not
workload import good.csv --batch 0 -> Invalid value for '--batch': Input should be greater than or
workload import good.csv --out none/net.json -> none/net.json: cannot be written (No such file or
workload import good.csv --out net.yaml -> net.yaml: expected a name that ends in .json, by which
"""

HEAD = "Layer, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Filters, Strides,"
FILES = {
    "text.h5": "hello\n",
    "text.npy": "hello\n",
    "net.py": "NETWORK = 1\n",
    "half.json": "{",
    "list.json": "[1, 2]",
    "empty.yaml": "",
    "wrong.yaml": "extends: neuromc-20\nnoc: {lnik: 64 bit}\n",
    "twice.yaml": "extends: neuromc-20\nextends: neuromc-1\n",
    "parent.yaml": "extends: neuromc20\n",
    "open.yaml": "extends: [neuromc-20\n",
    "good.csv": f"{HEAD}\nfirst, 32, 32, 3, 3, 3, 16, 1,\n",
    "word.csv": f"{HEAD}\nfirst, 32, 32, 3, 3, 3, 16, 1,\nnext, 30, x, 3, 3, 16, 16, 1,\n",
    "short.csv": f"{HEAD}\nfirst, 32, 32, 3, 3,\n",
    "head.csv": f"{HEAD}\n",
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which all is typed."""
    place = tmp_path_factory.mktemp("typed")
    for name, content in FILES.items():
        (place / name).write_text(content)
    (place / "latin.yaml").write_bytes("layers: é".encode("latin-1"))
    (place / "cut.h5").write_bytes((bundled_folder() / "digits.h5").read_bytes()[:2000])
    (place / "empty folder").mkdir()
    net = builder((4, 6, 6))
    net.linear(3)
    networks = {
        "small": (net.layers, "rate"),
        "attention": (attention_layers("q k' first"), "direct"),
        "loop": (beside_the_input().layers, "rate"),
    }
    for name, (layers, encoding) in networks.items():
        network = Network(name, tuple(layers), 1, 2, encoding, "a test")
        write_network(place / f"{name}.json", network)
    run_job(f"{place / 'small.json'}:dense", out=place / "run")
    for name in ("run-without-figures", "run-with-cut-trace"):
        shutil.copytree(place / "run", place / name)
    (place / "run-without-figures" / "summary.json").unlink()
    trace = place / "run-with-cut-trace" / "trace.h5"
    trace.write_bytes(trace.read_bytes()[:-3000])
    return place


def seen(folder: Path) -> dict[Path, bytes]:
    """All files of a folder, and its folders."""
    return {
        path: path.read_bytes() if path.is_file() else b"" for path in sorted(folder.rglob("*"))
    }


@pytest.mark.parametrize(
    "typed", [*filter(None, "".join((JOBS, RUNS, CHIPS, FOLDERS, MODELS, IMPORTS)).splitlines())]
)
def test_a_typed_mistake(
    typed: str, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line says what is wrong, where, and what was expected; no file is made or changed."""
    monkeypatch.chdir(place)
    command, _, line = typed.partition(" -> ")
    before = seen(place)
    assert main(shlex.split(command)) == 2
    printed = capsys.readouterr()
    assert printed.err.splitlines()[-1].startswith(f"tlm: {line}")
    assert [text for text in printed.err.splitlines() if text.startswith("tlm: ")][1:] == []
    assert not printed.out
    assert seen(place) == before
