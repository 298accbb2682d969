// The files of google/protobuf that every compiler knows without being given them.

import {
  file_google_protobuf_any, file_google_protobuf_api, file_google_protobuf_descriptor, file_google_protobuf_duration, file_google_protobuf_empty,
  file_google_protobuf_field_mask, file_google_protobuf_source_context, file_google_protobuf_struct, file_google_protobuf_timestamp,
  file_google_protobuf_type, file_google_protobuf_wrappers,
} from '@bufbuild/protobuf/wkt';

/** As descriptors name them. */
const files = [
  file_google_protobuf_any, file_google_protobuf_api, file_google_protobuf_descriptor, file_google_protobuf_duration, file_google_protobuf_empty,
  file_google_protobuf_field_mask, file_google_protobuf_source_context, file_google_protobuf_struct, file_google_protobuf_timestamp,
  file_google_protobuf_type, file_google_protobuf_wrappers,
];

/** A file by the name it is imported by. @param {string} name @returns {any} a FileDescriptorProto */
export function wellKnown(name) {
  return files.find(({ proto }) => proto.name === name)?.proto;
}
