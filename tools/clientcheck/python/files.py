"""Prints the files of a descriptor set that a client generates: all but those that the protobuf runtime brings."""

import sys

from google.protobuf.descriptor_pb2 import FileDescriptorSet

with open(sys.argv[1], "rb") as file:
    descriptors = FileDescriptorSet.FromString(file.read())
for descriptor in descriptors.file:
    if not descriptor.name.startswith("google/protobuf/"):
        print(descriptor.name)
