// Forks of the process: see forks.cpp.
#pragma once

// Has forks wait from now on for those who hold them. Does nothing the second time.
extern "C" void zerohop_native_heed_forks();

// From one to the other, on the same thread, no fork of the process begins.
extern "C" void zerohop_native_hold_forks();
extern "C" void zerohop_native_release_forks();
