"""A virt driver for a host without machines: Nova's fake one, but the network devices of its machines
are real. They are made and removed by the code with which Nova's libvirt driver does it, and a machine
does not run before the network has said that each of them is plugged, as with libvirt."""

import nova.conf
from nova import exception
from nova.virt import fake
from nova.virt.libvirt import vif as libvirt_vif

CONF = nova.conf.CONF


def _refused(event_name, instance):
    raise exception.VirtualInterfaceCreateException()


class TapDriver(fake.SmallFakeDriver):
    def __init__(self, virtapi, read_only=False):
        super().__init__(virtapi, read_only)
        self.vif_driver = libvirt_vif.LibvirtGenericVIFDriver()

    def plug_vifs(self, instance, network_info):
        for vif in network_info or []:
            self.vif_driver.plug(instance, vif)

    def unplug_vifs(self, instance, network_info):
        for vif in network_info or []:
            self.vif_driver.unplug(instance, vif)

    def spawn(self, context, instance, image_meta, injected_files, admin_password, allocations,
              network_info=None, **more):
        waiting = [("network-vif-plugged", vif["id"]) for vif in network_info or []
                   if vif.get("active", True) is False]
        try:
            with self.virtapi.wait_for_instance_event(
                    instance, waiting, timeout=CONF.vif_plugging_timeout, error_callback=_refused):
                self.plug_vifs(instance, network_info)
        except exception.InstanceEventTimeout:
            self.unplug_vifs(instance, network_info)
            raise exception.VirtualInterfaceCreateException()
        super().spawn(context, instance, image_meta, injected_files, admin_password, allocations,
                      network_info=network_info, **more)

    def destroy(self, context, instance, network_info, *args, **more):
        super().destroy(context, instance, network_info, *args, **more)
        self.unplug_vifs(instance, network_info)

    def attach_interface(self, context, instance, image_meta, vif):
        self.vif_driver.plug(instance, vif)
        super().attach_interface(context, instance, image_meta, vif)

    def detach_interface(self, context, instance, vif):
        super().detach_interface(context, instance, vif)
        self.vif_driver.unplug(instance, vif)
