"""nova-compute with the driver beside this file, which Nova looks for below nova.virt."""

import importlib.util
import pathlib
import sys

# First: it decides about threads before anything else is imported.
from nova.cmd import compute

import nova.virt

path = pathlib.Path(__file__).with_name("tap_driver.py")
spec = importlib.util.spec_from_file_location("nova.virt.tap_driver", path)
nova.virt.tap_driver = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(nova.virt.tap_driver)

sys.exit(compute.main())
