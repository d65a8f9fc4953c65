"""Where work goes: the cut of every layer over the cores, the schedule, and the search for both."""
