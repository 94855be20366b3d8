/* The second unit of test_units.c. */
#include <zerohop.h>
#include <zerohop.h>

#ifdef __cplusplus
extern "C"
#endif
    zerohop_status other_unit_status(void);

zerohop_status other_unit_status(void) {
  return ZEROHOP_CANCELLED;
}
