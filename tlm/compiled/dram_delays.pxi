# The delays and the address map of a channel as C numbers; ``tlm.hardware.dram.delays`` and
# ``address`` work them out.


cdef struct Delays:
    int64_t activate_clocks, column_clocks, precharge_clocks, activate_lead, strobe_start
    int64_t row_to_column, row_to_precharge, row_cycle, row_to_row, row_to_row_group, four_rows
    int64_t precharge, precharge_all, refresh, refresh_interval, column, column_group
    int64_t strobe_held[2]
    int64_t turn[2]
    int64_t turn_group[2]
    int64_t column_to_precharge[2]
    int64_t answer[2]


cdef Delays delays_of(object timing, object policy):
    """Delays in ps of a device under a controller, see ``DramDelays``."""
    cdef Delays delays
    cdef int command
    of = DramDelays.of(timing, policy)
    delays.activate_clocks = of.activate_clocks
    delays.column_clocks = of.column_clocks
    delays.precharge_clocks = of.precharge_clocks
    delays.activate_lead = of.activate_lead
    delays.strobe_start = of.strobe_start
    delays.row_to_column = of.row_to_column
    delays.row_to_precharge = of.row_to_precharge
    delays.row_cycle = of.row_cycle
    delays.row_to_row = of.row_to_row
    delays.row_to_row_group = of.row_to_row_group
    delays.four_rows = of.four_rows
    delays.precharge = of.precharge
    delays.precharge_all = of.precharge_all
    delays.refresh = of.refresh
    delays.refresh_interval = of.refresh_interval
    delays.column = of.column
    delays.column_group = of.column_group
    for command in range(2):
        delays.strobe_held[command] = of.strobe_held[command]
        delays.turn[command] = of.turn[command]
        delays.turn_group[command] = of.turn_group[command]
        delays.column_to_precharge[command] = of.column_to_precharge[command]
        delays.answer[command] = of.answer[command]
    return delays


cdef struct AddressFields:
    int64_t bank_mask, group_mask, row_mask, run_mask, banks_per_group
    int bank_shift, group_shift, row_shift, burst_shift


cdef AddressFields fields_of(object timing, object order):
    """Where bank and row stand in an address, see ``AddressMap``."""
    cdef AddressFields fields
    of = AddressMap(timing, order)
    fields.bank_mask, fields.group_mask = of.bank_mask, of.group_mask
    fields.row_mask, fields.run_mask = of.row_mask, of.run_mask
    fields.banks_per_group = of.banks_per_group
    fields.bank_shift, fields.group_shift = of.bank_shift, of.group_shift
    fields.row_shift, fields.burst_shift = of.row_shift, of.burst_shift
    return fields


cdef inline int64_t bank_of(const AddressFields* fields, int64_t address) noexcept:
    """Bank number of a byte address."""
    cdef int64_t group = (address >> fields.group_shift) & fields.group_mask
    return group * fields.banks_per_group + ((address >> fields.bank_shift) & fields.bank_mask)


cdef inline int64_t row_of(const AddressFields* fields, int64_t address) noexcept:
    """Row of a byte address."""
    return (address >> fields.row_shift) & fields.row_mask
