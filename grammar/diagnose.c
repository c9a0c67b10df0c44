#include "grammar/build.h"
void ou_diagnose(Parser *p) { (void)p; }
