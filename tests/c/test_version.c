/* Versions, features, names of statuses. */
#include "check.h"

static void macros_compose(void) {
  CHECK_INT(ZEROHOP_VERSION, ZEROHOP_VERSION_MAJOR * 1000000 + ZEROHOP_VERSION_MINOR * 1000 + ZEROHOP_VERSION_PATCH);
  /* Every part counts: a packed number that loses one would still look right for 0.0.0. */
  CHECK(ZEROHOP_VERSION_MAJOR + ZEROHOP_VERSION_MINOR + ZEROHOP_VERSION_PATCH > 0);
  CHECK_INT(ZEROHOP_VERSION % 1000, ZEROHOP_VERSION_PATCH);
  CHECK_INT(ZEROHOP_VERSION / 1000 % 1000, ZEROHOP_VERSION_MINOR);
}

static void library_and_header_agree(void) {
  CHECK_INT(zerohop_version_number(), ZEROHOP_VERSION);
  char expected[64];
  snprintf(expected, sizeof expected, "%d.%d.%d (llama.cpp ", ZEROHOP_VERSION_MAJOR, ZEROHOP_VERSION_MINOR,
           ZEROHOP_VERSION_PATCH);
  CHECK(strncmp(zerohop_version(), expected, strlen(expected)) == 0);
  CHECK(zerohop_version() == zerohop_version());
}

static void the_machine_is_described(void) {
  const char *info = zerohop_system_info();
  CHECK_CONTAINS(info, "\"processors\":");
  CHECK_CONTAINS(info, "\"avx2\"");
  CHECK_CONTAINS(info, "\"missing_cpu_features\":[]");
  CHECK_CONTAINS(info, "\"name\":\"CPU\"");
  CHECK(info == zerohop_system_info());
}

static void the_version_is_that_of_cargo_toml(void) {
  char text[32];
  snprintf(text, sizeof text, "%d.%d.%d", ZEROHOP_VERSION_MAJOR, ZEROHOP_VERSION_MINOR, ZEROHOP_VERSION_PATCH);
  CHECK_STR(getenv("ZEROHOP_CARGO_VERSION"), text);
}

static void features_are_known_by_name(void) {
  CHECK(zerohop_has_feature("chat", 4));
  CHECK(zerohop_has_feature("embeddings", 10));
  CHECK(zerohop_has_feature("chat and more", 4));
  CHECK(!zerohop_has_feature("chat and more", 13));
  CHECK(!zerohop_has_feature("cuda", 4));
  CHECK(!zerohop_has_feature("", 0));
  CHECK(!zerohop_has_feature(NULL, 0));
  CHECK(!zerohop_has_feature(NULL, 4));
  CHECK(!zerohop_has_feature("\xff\xff", 2));
}

static void statuses_have_names(void) {
  CHECK_STR(zerohop_status_name(ZEROHOP_OK), "ZEROHOP_OK");
  CHECK_STR(zerohop_status_name(ZEROHOP_CANCELLED), "ZEROHOP_CANCELLED");
  CHECK_STR(zerohop_status_name(ZEROHOP_UNAVAILABLE), "ZEROHOP_UNAVAILABLE");
  CHECK_STR(zerohop_status_name(12345), "unknown");
}

int main(void) {
  RUN(macros_compose);
  RUN(library_and_header_agree);
  RUN(the_machine_is_described);
  RUN(the_version_is_that_of_cargo_toml);
  RUN(features_are_known_by_name);
  RUN(statuses_have_names);
  return check_finish();
}
