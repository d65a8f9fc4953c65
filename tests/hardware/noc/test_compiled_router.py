"""The compiled router network does what the reference does: the same flits in the same cycles."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hardware.kernels import needs_compiled
from tests.hardware.noc.kernels import COMPILED, SIMPY
from tlm.config.fabric import Mesh, Noc
from tlm.hardware.noc.driver import NocRun, drive
from tlm.hardware.noc.router.shape import RouterShape
from tlm.hardware.noc.traffic import TRAFFIC, TrafficPattern

pytestmark = needs_compiled

SHAPES = st.builds(
    RouterShape,
    stages=st.sampled_from((2, 3, 4)),
    vcs=st.integers(1, 4),
    vc_buffer=st.sampled_from((1, 2, 3, 8)),
    routing=st.sampled_from(("xy", "yx", "west-first")),
)


@st.composite
def mixes(draw):
    """Terminals by node of a mesh, packets (wait, source, target, flits), and cycles to look at."""
    columns, rows = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    nodes = list(range(columns * rows))
    nodes += draw(st.lists(st.sampled_from(nodes), max_size=6))  # some have several terminals
    seed = draw(st.randoms(use_true_random=False))
    waits = draw(st.sampled_from([(0,), (0, 0, 0, 1), (0, 0, 1, 7)]))
    packets = [
        (seed.choice(waits), seed.randrange(len(nodes)), seed.randrange(len(nodes)),
         seed.randint(1, 70 if seed.random() < 0.05 else 6))
        for _ in range(draw(st.integers(1, 250)))
    ]  # fmt: skip
    return columns, rows, nodes, packets, draw(st.lists(st.integers(0, 400), max_size=8))


def history(kernel, shape, mix):
    """Every delivery, and all that can be seen of the fabric in some cycles and at the end."""
    columns, rows, nodes, packets, looks = mix
    mesh = kernel.mesh(columns, rows, shape, "net.")
    for terminal, node in enumerate(nodes):
        mesh.attach(node, f"t{terminal:02d}")
    events = []
    fabric = kernel.fabric(mesh, lambda packet, *where: events.append((packet.payload, *where)))

    def look():
        events.append((fabric.cycle, fabric.busy_until, fabric.in_flight, fabric.stuck))
        events.append(list(kernel.lane_waits(fabric)))
        events.append([(name, packet.payload) for name, packet in kernel.packets_by_lane(fabric)])
        events.append(kernel.lane_states(mesh))
        events.append([(port.name, port.flits, port.packets) for port in mesh.outputs()])
        events.append([(port.name, port.flits, port.packets) for port in mesh.sources])

    cycle, due = 0, sorted(looks)
    for ident, (wait, source, target, flits) in enumerate(packets):
        cycle += wait
        while due and due[0] <= cycle:
            fabric.skip_to(due.pop(0))
            look()
        fabric.skip_to(cycle)
        fabric.send(kernel.packet(target, flits, cycle, ident), source)
    while fabric.in_flight:
        if due and due[0] <= fabric.cycle:
            due.pop(0)
            look()
        fabric.step()
    fabric.skip_to(fabric.cycle + 64)
    look()
    return events


@settings(max_examples=150)
@given(SHAPES, mixes())
def test_fabrics_agree_in_every_cycle_looked_at(shape, mix):
    """Deliveries in order, buffers, credits, waits and counters, at rest and on the way."""
    assert history(COMPILED, shape, mix) == history(SIMPY, shape, mix)


@st.composite
def jobs(draw):
    """A chip's network: settings, terminals (node, responds, own clock in ps), packets sent."""
    columns, rows = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    nodes = st.integers(0, columns * rows - 1)
    clocks = st.sampled_from((0, 0, 3000, 700))
    terminals = draw(st.lists(st.tuples(nodes, st.booleans(), clocks), min_size=1, max_size=12))
    ends = st.integers(0, len(terminals) - 1)
    packets = st.tuples(
        st.integers(0, 60_000), ends, st.lists(ends, min_size=1, max_size=3, unique=True),
        st.integers(1, 17),
    )  # fmt: skip
    options = {
        "model": "router", "clock": "500 MHz", "link": "128 bit", "payload": "256 B",
        "header": "16 B", "synchroniser": f"{draw(st.integers(0, 3))} cycles",
        "router_stages": draw(st.sampled_from((2, 3, 4))), "vcs": draw(st.integers(1, 3)),
        "vc_buffer": draw(st.integers(1, 8)), "routing": "xy",
    }  # fmt: skip
    return columns, rows, options, terminals, draw(st.lists(packets, min_size=1, max_size=40))


def deliveries(kernel, columns, rows, options, terminals, packets):
    """(ident, target, time in ps) of every delivery, with other events at and between edges."""
    env = kernel.environment()
    mesh = Mesh(columns=columns, rows=rows)
    network = kernel.router_network(env, mesh, Noc.model_validate(options))
    for terminal, (node, responds, clock_ps) in enumerate(terminals):
        network.attach(node, f"t{terminal:02d}", responds, clock_ps)
    events = []

    def send(ident, source, targets, flits):
        def arrival(target):
            return (lambda txn: events.append((txn.ident, target, txn.flits, env.now)),)

        txn = kernel.transaction(ident, 0, 0, 0, source, None)
        txn.flits = flits
        if len(targets) == 1:
            txn.path = network.path(source, targets[0], arrival(targets[0]))
        else:
            txn.path = network.tree(source, {target: arrival(target) for target in targets})
        network.send(txn, source)
        held = [(place, txn.ident) for place, txn in network.held()]
        events.append((env.now, network.in_flight, held, list(network.waits())))

    for ident, (time, *sent) in enumerate(packets):
        call = env.timeout(time)
        call.callbacks.append(lambda _, ident=ident, sent=sent: send(ident, *sent))
    while (next_ps := env.peek()) < 1 << 60:
        events.append(next_ps)
        env.step()
    carried = [(port.name, port.flits, port.packets) for port in network.all_links()]
    return events, carried, list(network.links), network.in_flight, network.routers


@settings(max_examples=150)
@given(jobs())
def test_networks_agree_event_by_event(job):
    """The same events at the same times: what clock edges, stretches and crossings decide."""
    assert deliveries(COMPILED, *job) == deliveries(SIMPY, *job)


@settings(max_examples=60)
@given(
    SHAPES,
    st.sampled_from(TRAFFIC),
    st.integers(1, 7),
    st.floats(0.001, 0.9),
    st.sampled_from(("router", "packet", "ideal")),
    st.integers(0, 1000),
)
def test_measurements_agree_to_the_last_digit(shape, pattern, flits, rate, model, seed):
    """Below saturation and beyond it, with and without packets in the window."""
    traffic = TrafficPattern(pattern, 4, 4, flits, rate, seed)
    run = NocRun(100, 400, 200)
    measured = drive(traffic, shape, run, model, COMPILED.driver)
    assert measured == drive(traffic, shape, run, model, SIMPY.driver)


def test_what_is_due_as_a_measurement_ends_is_measured():
    """A packet that arrives in the last cycle counts: in some of these runs there is one."""
    for seed in range(60):
        traffic = TrafficPattern("uniform", 2, 2, 1, 0.05, seed)
        run = NocRun(20, 100, 0)
        measured = drive(traffic, RouterShape(), run, "packet", COMPILED.driver)
        assert measured == drive(traffic, RouterShape(), run, "packet", SIMPY.driver)
