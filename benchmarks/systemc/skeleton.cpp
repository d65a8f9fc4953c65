// The skeleton of the chip in SystemC TLM: engines with their DMA, a mesh of links, DRAM channels.
//
// Reads a program written by benchmarks.children.packets: every packet that the engines of a chip
// move, tile by tile. Engines fetch a tile ahead and post their writes; a link serves packets in
// order of arrival and is busy until the last flit has left; a channel has a bus and a latency.
// With a second file name every transaction leaves a row there: its number, four times, initiator,
// target, command, bytes and address, as they are in memory.
// Not here: what tiles of several engines wait for of each other, counts, energy, checks.
#include <systemc>
#include <tlm>
#include <tlm_utils/peq_with_get.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <deque>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

using sc_core::sc_event;
using sc_core::sc_module;
using sc_core::sc_module_name;
using sc_core::sc_time;
using sc_core::sc_time_stamp;
using tlm::tlm_generic_payload;

struct Settings {
    int columns, rows, cores, channels, window, stages, flit_bytes, header_bytes;
    double noc_ps, core_ps, latency_ps, bytes_per_ns;
};

static sc_time ps(double value) { return sc_time(value, sc_core::SC_PS); }

class Dma;

// What a transaction carries beside its payload: the servers it still has to visit.
struct Route : tlm::tlm_extension<Route> {
    const std::vector<struct Server*>* path = nullptr;
    size_t at = 0;
    int flits = 0, channel = 0;
    sc_time begin_req, end_req, begin_resp;
    Dma* dma = nullptr;
    tlm::tlm_extension_base* clone() const override { return new Route(*this); }
    void copy_from(const tlm::tlm_extension_base& other) override {
        *this = static_cast<const Route&>(other);
    }
};

static Route& route_of(tlm_generic_payload& packet) { return *packet.get_extension<Route>(); }

// A process that takes packets from a payload event queue in order of arrival.
struct Server : sc_module {
    tlm_utils::peq_with_get<tlm_generic_payload> inbox;
    SC_HAS_PROCESS(Server);
    explicit Server(sc_module_name name) : sc_module(name), inbox("inbox") {
        SC_METHOD(drain);
        sensitive << inbox.get_event();
        dont_initialize();
    }
    void drain() {
        while (tlm_generic_payload* packet = inbox.get_next_transaction()) serve(*packet);
    }
    virtual void serve(tlm_generic_payload& packet) = 0;
};

static void forward(tlm_generic_payload& packet, const sc_time& delay) {
    Route& route = route_of(packet);
    (*route.path)[route.at++]->inbox.notify(packet, delay);
}

// One flit a cycle; busy until the tail has left; the head is at the next server `passes` later.
struct Link : Server {
    sc_time period, passes, free_at;
    bool to_the_tail;
    Link(const std::string& name, const sc_time& period, const sc_time& passes, bool to_the_tail)
        : Server(name.c_str()), period(period), passes(passes), to_the_tail(to_the_tail) {}
    void serve(tlm_generic_payload& packet) override {
        const int flits = route_of(packet).flits;
        const sc_time start = std::max(sc_time_stamp(), free_at);
        free_at = start + flits * period;
        forward(packet, (to_the_tail ? free_at : start) + passes - sc_time_stamp());
    }
};

struct Piece {
    int target, nbytes;
};

struct Tile {
    long cycles;
    std::vector<Piece> reads, writes, messages;
};

struct Chip;

// Issues packets in order, at most `window` outstanding; payloads are used again.
class Dma {
  public:
    Dma(Chip& chip, int core) : chip_(chip), core_(core) {}
    void read(const Tile& tile) { queue(tile.reads, tlm::TLM_READ_COMMAND), issue(); }
    void write(const Tile& tile) {
        queue(tile.writes, tlm::TLM_WRITE_COMMAND);
        queue(tile.messages, tlm::TLM_IGNORE_COMMAND);
        issue();
    }
    void close(tlm_generic_payload& packet);
    long reads_left = 0, posted_left = 0;
    sc_event changed;

  private:
    void queue(const std::vector<Piece>& pieces, tlm::tlm_command command) {
        for (const Piece& piece : pieces) waiting_.push_back({piece, command});
        (command == tlm::TLM_READ_COMMAND ? reads_left : posted_left) += pieces.size();
    }
    void issue();
    void record(tlm_generic_payload& packet);
    struct Request {
        Piece piece;
        tlm::tlm_command command;
    };
    Chip& chip_;
    int core_, outstanding_ = 0;
    std::deque<Request> waiting_;
    std::vector<tlm_generic_payload*> free_;
};

// Where a route ends: at a core, whose DMA closes the transaction.
struct CoreEnd : Server {
    explicit CoreEnd(const std::string& name) : Server(name.c_str()) {}
    void serve(tlm_generic_payload& packet) override { route_of(packet).dma->close(packet); }
};

// A bus that is busy while data move, and a latency; the answer goes home.
struct Channel : Server {
    Chip& chip;
    sc_time free_at;
    Channel(const std::string& name, Chip& chip) : Server(name.c_str()), chip(chip) {}
    void serve(tlm_generic_payload& packet) override;
};

struct Engine : sc_module {
    std::vector<Tile> tiles;
    Dma dma;
    sc_time period;
    SC_HAS_PROCESS(Engine);
    Engine(sc_module_name name, Chip& chip, int core, const sc_time& period)
        : sc_module(name), dma(chip, core), period(period) {
        SC_THREAD(run);
    }
    void run() {
        if (!tiles.empty()) dma.read(tiles[0]);
        for (size_t i = 0; i < tiles.size(); i++) {
            while (dma.reads_left) wait(dma.changed);
            if (i + 1 < tiles.size()) dma.read(tiles[i + 1]);
            wait(tiles[i].cycles * period);
            while (dma.posted_left) wait(dma.changed);  // the other output buffer
            dma.write(tiles[i]);
        }
        while (dma.posted_left) wait(dma.changed);
    }
};

#pragma pack(push, 1)
struct Row {
    uint32_t id;
    int64_t begin_req, end_req, begin_resp, end_resp;  // ps
    int16_t initiator, target;
    uint8_t command;
    uint32_t nbytes;
    int64_t address;
};
#pragma pack(pop)

// Rows of closed transactions, in blocks; a file that cannot be written ends the program.
class Trace {
  public:
    explicit Trace(const char* file) : file_(std::fopen(file, "wb")) { rows_.reserve(BLOCK); }
    void add(const Row& row) {
        rows_.push_back(row);
        if (rows_.size() == BLOCK) write();
    }
    void close() {
        write();
        if (std::fclose(file_)) std::_Exit(1);
    }

  private:
    static constexpr size_t BLOCK = 16384;
    void write() {
        if (!file_ || std::fwrite(rows_.data(), sizeof(Row), rows_.size(), file_) < rows_.size())
            std::_Exit(1);
        rows_.clear();
    }
    std::FILE* file_;
    std::vector<Row> rows_;
};

struct Chip {
    Settings set;
    std::unique_ptr<Trace> trace;  // none without a file
    std::vector<int> node_of;  // of cores, then of channels
    std::vector<std::unique_ptr<Link>> links, injections, ejections;
    std::vector<std::unique_ptr<Server>> ends;
    std::vector<std::vector<std::vector<Server*>>> paths;  // by source and target terminal
    std::vector<std::unique_ptr<Engine>> engines;
    long transactions = 0;

    Chip(const Settings& settings, const std::vector<int>& channel_nodes) : set(settings) {
        for (int core = 0; core < set.cores; core++) node_of.push_back(core);
        node_of.insert(node_of.end(), channel_nodes.begin(), channel_nodes.end());
        const sc_time period = ps(set.noc_ps), router = (set.stages + 1) * period;
        for (int i = 0; i < 4 * set.columns * set.rows; i++)
            links.push_back(
                std::make_unique<Link>("link" + std::to_string(i), period, router, false));
        for (size_t t = 0; t < node_of.size(); t++) {
            const std::string name = std::to_string(t);
            injections.push_back(std::make_unique<Link>("in" + name, period, 2 * period, false));
            ejections.push_back(std::make_unique<Link>("out" + name, period, router, true));
            if (t < size_t(set.cores))
                ends.push_back(std::make_unique<CoreEnd>("core" + name));
            else
                ends.push_back(std::make_unique<Channel>("dram" + name, *this));
        }
        paths.resize(node_of.size());
        for (size_t from = 0; from < node_of.size(); from++)
            for (size_t to = 0; to < node_of.size(); to++)
                paths[from].push_back(path(from, to));
    }

    int flits(int nbytes) const {
        return (set.header_bytes + nbytes + set.flit_bytes - 1) / set.flit_bytes;
    }

    std::vector<Server*> path(int from, int to) const {
        std::vector<Server*> servers{injections[from].get()};
        int x = node_of[from] % set.columns, y = node_of[from] / set.columns;
        const int to_x = node_of[to] % set.columns, to_y = node_of[to] / set.columns;
        while (x != to_x || y != to_y) {
            const int direction = x < to_x ? 0 : x > to_x ? 1 : y < to_y ? 2 : 3;
            servers.push_back(links[4 * (y * set.columns + x) + direction].get());
            x += (direction == 0) - (direction == 1);
            y += (direction == 2) - (direction == 3);
        }
        servers.push_back(ejections[to].get());
        servers.push_back(ends[to].get());
        return servers;
    }

    void send(tlm_generic_payload& packet, int from, int to, int nbytes) {
        Route& route = route_of(packet);
        route.path = &paths[from][to];
        route.at = 0;
        route.flits = flits(nbytes);
        forward(packet, sc_core::SC_ZERO_TIME);
    }
};

void Channel::serve(tlm_generic_payload& packet) {
    free_at = std::max(sc_time_stamp(), free_at) +
              ps(packet.get_data_length() * 1000.0 / chip.set.bytes_per_ns);
    Route& route = route_of(packet);
    route.end_req = sc_time_stamp();
    route.begin_resp = free_at;
    const bool read = packet.get_command() == tlm::TLM_READ_COMMAND;
    route.flits = chip.flits(read ? packet.get_data_length() : 0);
    const int core = int(packet.get_address() >> 32);
    route.path = &chip.paths[chip.set.cores + route.channel][core];
    route.at = 0;
    packet.set_response_status(tlm::TLM_OK_RESPONSE);
    forward(packet, free_at + ps(chip.set.latency_ps) - sc_time_stamp());
}

void Dma::close(tlm_generic_payload& packet) {
    const bool read = packet.get_command() == tlm::TLM_READ_COMMAND;
    long& left = read ? reads_left : posted_left;
    outstanding_--;
    if (chip_.trace) record(packet);
    chip_.transactions++;
    free_.push_back(&packet);
    issue();
    if (--left == 0) changed.notify();
}

void Dma::record(tlm_generic_payload& packet) {
    const Route& route = route_of(packet);
    const auto ps = [](const sc_time& time) { return int64_t(time.value()); };
    const int64_t now = ps(sc_time_stamp());
    const bool message = packet.get_command() == tlm::TLM_IGNORE_COMMAND;
    const int target = message ? route.channel : chip_.set.cores + route.channel;
    chip_.trace->add({uint32_t(chip_.transactions), ps(route.begin_req),
                      message ? now : ps(route.end_req), message ? now : ps(route.begin_resp), now,
                      int16_t(core_), int16_t(target), uint8_t(packet.get_command()),
                      packet.get_data_length(), int64_t(packet.get_address())});
}

void Dma::issue() {
    while (!waiting_.empty() && outstanding_ < chip_.set.window) {
        const Request request = waiting_.front();
        waiting_.pop_front();
        if (free_.empty()) {
            free_.push_back(new tlm_generic_payload);
            free_.back()->set_extension(new Route);
        }
        tlm_generic_payload& packet = *free_.back();
        free_.pop_back();
        outstanding_++;
        packet.set_command(request.command);
        packet.set_data_length(request.piece.nbytes);
        packet.set_address(sc_dt::uint64(core_) << 32);
        Route& route = route_of(packet);
        const bool message = request.command == tlm::TLM_IGNORE_COMMAND;
        const bool read = request.command == tlm::TLM_READ_COMMAND;
        const int target = request.piece.target;
        route.channel = target;
        route.begin_req = sc_time_stamp();
        // A message is closed by its sender, as it is in the simulator beside it.
        route.dma = this;
        chip_.send(packet, core_, message ? target : chip_.set.cores + target,
                   read ? 0 : request.piece.nbytes);
    }
}

static std::vector<Piece> pieces(std::istream& in) {
    size_t count;
    in >> count;
    std::vector<Piece> list(count);
    for (Piece& piece : list) in >> piece.target >> piece.nbytes;
    return list;
}

int sc_main(int argc, char** argv) {
    if (argc != 2 && argc != 3) return 2;
    sc_core::sc_set_time_resolution(1, sc_core::SC_PS);
    std::ifstream in(argv[1]);
    Settings set;
    in >> set.columns >> set.rows >> set.cores >> set.channels >> set.window >> set.stages >>
        set.flit_bytes >> set.header_bytes >> set.noc_ps >> set.core_ps >> set.latency_ps >>
        set.bytes_per_ns;
    std::vector<int> nodes(set.channels);
    for (int& node : nodes) in >> node;
    Chip chip(set, nodes);
    if (argc == 3) chip.trace = std::make_unique<Trace>(argv[2]);
    int core, tiles;
    while (in >> core >> tiles) {
        const std::string name = "engine" + std::to_string(chip.engines.size());
        auto engine = std::make_unique<Engine>(name.c_str(), chip, core, ps(set.core_ps));
        for (int i = 0; i < tiles; i++) {
            Tile tile;
            in >> tile.cycles;
            tile.reads = pieces(in);
            tile.writes = pieces(in);
            tile.messages = pieces(in);
            engine->tiles.push_back(std::move(tile));
        }
        chip.engines.push_back(std::move(engine));
    }
    if (chip.engines.empty()) return 2;
    const std::clock_t began = std::clock();
    sc_core::sc_start();
    if (chip.trace) chip.trace->close();
    const double spent = double(std::clock() - began) / CLOCKS_PER_SEC;
    std::printf("simulated %s\n", sc_time_stamp().to_string().c_str());
    std::printf("{\"amount\": %ld, \"cpu_s\": %.6f}\n", chip.transactions, spent);
    std::fflush(stdout);
    std::_Exit(0);  // payloads in pools are left to the system
}
