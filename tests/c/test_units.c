/* The header in two units of one program, twice in each: this one and test_units_other.c. */
#include <zerohop.h>
#include <zerohop.h>

#include "check.h"

#ifdef __cplusplus
extern "C"
#endif
    zerohop_status other_unit_status(void);

static void both_units_know_the_same(void) {
  CHECK_INT(other_unit_status(), ZEROHOP_CANCELLED);
}

static void sizes_are_what_the_abi_says(void) {
  /* On 64-bit systems; a change here is a change of the ABI. */
  CHECK_INT(sizeof(zerohop_status), 4);
  CHECK_INT(sizeof(zerohop_str), 16);
  CHECK_INT(sizeof(zerohop_model_options), 280);
  CHECK_INT(sizeof(zerohop_engine_options), 88);
  CHECK_INT(sizeof(zerohop_request), 96);
}

int main(void) {
  RUN(both_units_know_the_same);
  RUN(sizes_are_what_the_abi_says);
  return check_finish();
}
