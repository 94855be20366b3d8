// Streams an answer through the C library, with cgo: chat MODEL.gguf
//
//	PKG_CONFIG_PATH=PREFIX/lib/pkgconfig go build chat.go
package main

/*
#cgo pkg-config: zerohop
#include <stdlib.h>
#include <zerohop.h>

// A pointer to C memory in Go memory is against cgo's rules, so the structs are filled here.
static zerohop_status load(const char *path, zerohop_engine **out, zerohop_error **error) {
	zerohop_model_options model;
	zerohop_model_options_init(&model, sizeof model);
	model.name = zerohop_str_of("chat");
	model.path = zerohop_str_of(path);
	zerohop_engine_options options;
	zerohop_engine_options_init(&options, sizeof options);
	options.models = &model;
	options.model_count = 1;
	return zerohop_engine_new(&options, out, error);
}

static zerohop_status chat(const zerohop_engine *engine, const char *body, zerohop_response **out, zerohop_error **error) {
	zerohop_request request;
	zerohop_request_init(&request, sizeof request);
	request.path = zerohop_str_of("/v1/chat/completions");
	request.body = zerohop_str_of(body);
	return zerohop_send(engine, &request, out, error);
}
*/
import "C"

import (
	"fmt"
	"os"
	"unsafe"
)

// check says whether there is more, and ends the program after a failure.
func check(status C.zerohop_status, failure *C.zerohop_error) bool {
	if status < 0 {
		fmt.Fprintln(os.Stderr, C.GoString(C.zerohop_error_message(failure)))
		os.Exit(1)
	}
	return status == C.ZEROHOP_OK
}

func main() {
	path := C.CString(os.Args[1])
	defer C.free(unsafe.Pointer(path))
	body := C.CString(`{"model": "chat", "stream": true, "temperature": 0, "messages":
		[{"role": "user", "content": "What is the capital of France? Answer in one sentence."}]}`)
	defer C.free(unsafe.Pointer(body))

	var failure *C.zerohop_error
	var engine *C.zerohop_engine
	check(C.load(path, &engine, &failure), failure)
	defer C.zerohop_engine_free(engine)
	var response *C.zerohop_response
	check(C.chat(engine, body, &response, &failure), failure)
	defer C.zerohop_response_free(response)

	var event C.zerohop_str
	for check(C.zerohop_response_next(response, &event, &failure), failure) {
		text := C.zerohop_response_text(response)
		fmt.Print(C.GoStringN(text.data, C.int(text.len)))
	}
	fmt.Println()
}
