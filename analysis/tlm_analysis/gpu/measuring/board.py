"""A GPU's board by NVML: its energy counter, clocks and limits; nothing where there is none."""

from __future__ import annotations

from typing import Any


class Board:
    """The board that torch's first device is on; without pynvml or a GPU every answer is None."""

    def __init__(self, device: str) -> None:
        """Find it by its UUID, since NVML does not see CUDA_VISIBLE_DEVICES."""
        self._nvml, self._handle = None, None
        try:
            import pynvml
        except ImportError:
            return
        if device == "cpu":
            return
        import torch

        pynvml.nvmlInit()
        uuid = f"GPU-{torch.cuda.get_device_properties(0).uuid}"
        self._nvml, self._handle = pynvml, pynvml.nvmlDeviceGetHandleByUUID(uuid)

    def energy_j(self) -> float | None:
        """The energy counter, J: of the whole board, without host."""
        if self._nvml is None:
            return None
        return float(self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle)) / 1e3

    def state(self) -> dict[str, Any] | None:
        """Clocks, limit, temperature and driver, as they are now."""
        if self._nvml is None:
            return None
        nvml, handle = self._nvml, self._handle
        return {
            "driver": nvml.nvmlSystemGetDriverVersion(),
            "sm_clock_mhz": nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM),
            "memory_clock_mhz": nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_MEM),
            "power_limit_w": nvml.nvmlDeviceGetEnforcedPowerLimit(handle) / 1e3,
            "temperature_c": nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU),
        }
