"""The service beside bare aiohttp, and other stacks when asked: `python -m bench`.

Everything runs on loopback and is stopped at the end. Figures are told with their spread and as a ratio to the
reference of the same run; a figure from another run or machine is no reference.
"""
