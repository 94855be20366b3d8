// Gives llama.cpp's weight matrices to the kernels of the crate `kernels`: a buffer type
// that packs what is stored in it, and computes products with it in ggml's own threads.
// The same buffer type is asked for every operation, and so gets attention and GELU too.
#include "seam.h"

#include "ggml-backend-impl.h"
#include "ggml-cpu.h"
#include "traits.h"

#include <cstring>
#include <stdexcept>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace {

const zerohop_kernels * kernels;

// Whether weights that are being loaded by this thread may go to the kernels.
thread_local bool offered = false;

ggml_backend_buffer_type_t buffer_type();

bool is_packed(const ggml_tensor * tensor) {
    return tensor != nullptr && tensor->buffer != nullptr && tensor->buffer->buft == buffer_type();
}

zerohop_product describe(const ggml_tensor * op) {
    const ggml_tensor * weights = op->src[0];
    const ggml_tensor * activations = op->src[1];
    zerohop_product product = {};
    product.type = weights->type;
    product.width = weights->ne[0];
    product.rows = weights->ne[1];
    product.weights = weights->data;
    product.activations = static_cast<const float *>(activations->data);
    for (int axis = 0; axis < 3; ++axis) {
        product.shape[axis] = activations->ne[axis + 1];
        product.strides[axis] = activations->nb[axis + 1] / sizeof(float);
    }
    product.results = static_cast<float *>(op->data);
    return product;
}

zerohop_mixture describe_mixture(const ggml_tensor * op) {
    const ggml_tensor * weights = op->src[0];
    const ggml_tensor * activations = op->src[1];
    const ggml_tensor * choices = op->src[2];
    zerohop_mixture mixture = {};
    mixture.type = weights->type;
    mixture.width = weights->ne[0];
    mixture.rows = weights->ne[1];
    mixture.experts = weights->ne[2];
    mixture.weights = weights->data;
    mixture.activations = static_cast<const float *>(activations->data);
    for (int axis = 0; axis < 2; ++axis) {
        mixture.shape[axis] = activations->ne[axis + 1];
        mixture.strides[axis] = activations->nb[axis + 1] / sizeof(float);
        mixture.choice_strides[axis] = choices->nb[axis] / sizeof(int32_t);
    }
    mixture.choices = static_cast<const int32_t *>(choices->data);
    mixture.used = choices->ne[0];
    mixture.results = static_cast<float *>(op->data);
    return mixture;
}

int next_chunk(void * pool) {
    return ggml_threadpool_chunk_add(static_cast<ggml_threadpool *>(pool), 1);
}

zerohop_heads heads(const ggml_tensor * tensor) {
    const size_t size = ggml_type_size(tensor->type);
    return { tensor->data, { tensor->nb[1] / size, tensor->nb[2] / size } };
}

zerohop_attention describe_attention(const ggml_tensor * op) {
    const ggml_tensor * mask = op->src[3];
    const ggml_tensor * sinks = op->src[4];
    zerohop_attention attention = {};
    attention.tokens = op->src[0]->ne[1];
    attention.cells = op->src[1]->ne[1];
    attention.heads = op->src[0]->ne[2];
    attention.kv_heads = op->src[1]->ne[2];
    attention.key_width = op->src[1]->ne[0];
    attention.value_width = op->src[2]->ne[0];
    std::memcpy(&attention.scale, op->op_params, sizeof(float));
    std::memcpy(&attention.max_bias, op->op_params + 1, sizeof(float));
    std::memcpy(&attention.softcap, op->op_params + 2, sizeof(float));
    attention.queries = heads(op->src[0]);
    attention.keys = heads(op->src[1]);
    attention.values = heads(op->src[2]);
    attention.mask = static_cast<const uint16_t *>(mask->data);
    attention.mask_stride = mask->nb[1] / sizeof(uint16_t);
    attention.sinks = sinks == nullptr ? nullptr : static_cast<const float *>(sinks->data);
    attention.results = static_cast<float *>(op->data);
    return attention;
}

bool is_attention(const ggml_tensor * op) {
    const ggml_tensor * queries = op->src[0];
    const ggml_tensor * keys = op->src[1];
    const ggml_tensor * values = op->src[2];
    const ggml_tensor * mask = op->src[3];
    if (op->op != GGML_OP_FLASH_ATTN_EXT || mask == nullptr) {
        return false;
    }
    const bool has_types = queries->type == GGML_TYPE_F32 && keys->type == GGML_TYPE_F16 &&
                           values->type == GGML_TYPE_F16 && mask->type == GGML_TYPE_F16 && op->type == GGML_TYPE_F32;
    const bool has_rows = queries->nb[0] == sizeof(float) && keys->nb[0] == sizeof(uint16_t) &&
                          values->nb[0] == sizeof(uint16_t) && mask->nb[0] == sizeof(uint16_t) &&
                          ggml_is_contiguous(op);
    const bool is_one_stream = queries->ne[3] == 1 && keys->ne[3] == 1 && values->ne[3] == 1 && mask->ne[2] == 1 &&
                               mask->ne[3] == 1;
    const bool is_one_cache = keys->ne[1] == values->ne[1] && keys->ne[2] == values->ne[2] &&
                              mask->ne[0] == keys->ne[1] && mask->ne[1] >= queries->ne[1];
    if (!has_types || !has_rows || !is_one_stream || !is_one_cache) {
        return false;
    }
    const zerohop_attention attention = describe_attention(op);
    return kernels->attends(&attention);
}

// GELU of what a product with packed weights gave, perhaps with a bias added: a model that is not packed is computed
// as llama.cpp does.
bool is_gelu(const ggml_tensor * op) {
    if (op->op != GGML_OP_UNARY || ggml_get_unary_op(op) != GGML_UNARY_OP_GELU) {
        return false;
    }
    const ggml_tensor * source = op->src[0];
    const ggml_tensor * product = source->op == GGML_OP_ADD ? source->src[0] : source;
    return product->op == GGML_OP_MUL_MAT && is_packed(product->src[0]) && op->type == GGML_TYPE_F32 &&
           source->type == GGML_TYPE_F32 && ggml_is_contiguous(op) && ggml_is_contiguous(source);
}

// Makes a thread's call one of those that share an operation's chunks.
template <typename Operation> void share(Operation & operation, const ggml_compute_params * params) {
    operation.work = params->wdata;
    operation.thread = params->ith;
    operation.threads = params->nth;
    operation.next = next_chunk;
    operation.pool = params->threadpool;
    if (params->ith == 0) {
        ggml_threadpool_chunk_set(params->threadpool, params->nth);
    }
}

class traits : public ggml::cpu::tensor_traits {
    bool work_size(int threads, const ggml_tensor * op, size_t & size) override {
        const zerohop_product product = describe(op);
        size = kernels->work_size(&product, threads);
        return true;
    }

    bool compute_forward(ggml_compute_params * params, ggml_tensor * op) override {
        zerohop_product product = describe(op);
        share(product, params);
        if (kernels->prepare(&product)) {
            ggml_barrier(params->threadpool);
        }
        kernels->multiply(&product);
        return true;
    }
};

class mixture_traits : public ggml::cpu::tensor_traits {
    bool work_size(int threads, const ggml_tensor * op, size_t & size) override {
        const zerohop_mixture mixture = describe_mixture(op);
        size = kernels->mixture_work_size(&mixture, threads);
        return true;
    }

    bool compute_forward(ggml_compute_params * params, ggml_tensor * op) override {
        zerohop_mixture mixture = describe_mixture(op);
        share(mixture, params);
        kernels->mixture_prepare(&mixture);
        ggml_barrier(params->threadpool);
        kernels->mixture_multiply(&mixture);
        return true;
    }
};

class attention_traits : public ggml::cpu::tensor_traits {
    bool work_size(int threads, const ggml_tensor * op, size_t & size) override {
        const zerohop_attention attention = describe_attention(op);
        size = kernels->attention_work_size(&attention, threads);
        return true;
    }

    bool compute_forward(ggml_compute_params * params, ggml_tensor * op) override {
        zerohop_attention attention = describe_attention(op);
        share(attention, params);
        ggml_barrier(params->threadpool);
        kernels->attend(&attention);
        return true;
    }
};

class gelu_traits : public ggml::cpu::tensor_traits {
    bool work_size(int, const ggml_tensor *, size_t & size) override {
        size = 0;
        return true;
    }

    bool compute_forward(ggml_compute_params * params, ggml_tensor * op) override {
        zerohop_gelu gelu = {};
        gelu.source = static_cast<const float *>(op->src[0]->data);
        gelu.target = static_cast<float *>(op->data);
        gelu.count = ggml_nelements(op);
        gelu.thread = params->ith;
        gelu.threads = params->nth;
        kernels->gelu(&gelu);
        return true;
    }
};

// Whether a tensor is in a program's memory, or will be.
bool is_near(const ggml_tensor * tensor) {
    return tensor->buffer == nullptr || ggml_backend_buffer_is_host(tensor->buffer);
}

// Floats of 32 bits stay llama.cpp's, but for the small matrices by which a mixture of experts chooses: a choice must
// not depend on who else is in the batch.
bool is_taken(const ggml_tensor * weights) {
    return weights->type != GGML_TYPE_F32 || std::strstr(weights->name, ".ffn_gate_inp.weight") != nullptr;
}

bool is_product(const ggml_tensor * op) {
    const ggml_tensor * weights = op->src[0];
    const ggml_tensor * activations = op->src[1];
    if ((op->op != GGML_OP_MUL_MAT && op->op != GGML_OP_MUL_MAT_ID) || !is_packed(weights)) {
        return false;
    }
    const bool is_plain = weights->view_src == nullptr && ggml_is_contiguous(weights) && weights->ne[3] == 1;
    const bool is_float = activations->type == GGML_TYPE_F32 && activations->nb[0] == sizeof(float) &&
                          op->type == GGML_TYPE_F32 && ggml_is_contiguous(op);
    return is_plain && is_float && is_near(activations) && is_taken(weights) &&
           kernels->supports(weights->type, weights->ne[0], weights->ne[1]);
}

bool is_mixture(const ggml_tensor * op) {
    if (op->op != GGML_OP_MUL_MAT_ID || !is_product(op)) {
        return false;
    }
    const ggml_tensor * activations = op->src[1];
    const ggml_tensor * choices = op->src[2];
    const bool is_for_tokens = activations->ne[2] == choices->ne[1] && activations->ne[3] == 1;
    return choices->type == GGML_TYPE_I32 && is_near(choices) && is_for_tokens;
}

class extra_buffer_type : public ggml::cpu::extra_buffer_type {
    bool supports_op(ggml_backend_dev_t, const ggml_tensor * op) override {
        // A weight without data is one for which the loader seeks a place.
        if (op->src[0] != nullptr && op->src[0]->data == nullptr && !offered) {
            return false;
        }
        return op->op == GGML_OP_MUL_MAT_ID ? is_mixture(op) : is_product(op) && op->src[0]->ne[2] == 1;
    }

    ggml::cpu::tensor_traits * get_tensor_traits(const ggml_tensor * op) override {
        static traits traits;
        static mixture_traits mixture_traits;
        static attention_traits attention_traits;
        static gelu_traits gelu_traits;
        if (is_attention(op)) {
            return &attention_traits;
        }
        if (is_gelu(op)) {
            return &gelu_traits;
        }
        if (op->op == GGML_OP_MUL_MAT_ID && is_packed(op->src[0])) {
            return &mixture_traits;
        }
        return op->op == GGML_OP_MUL_MAT && is_packed(op->src[0]) ? &traits : nullptr;
    }
};

void set_tensor(ggml_backend_buffer_t, ggml_tensor * tensor, const void * data, size_t offset, size_t size) {
    const bool is_whole = offset == 0 && size == ggml_nbytes(tensor);
    // The rows of each of some experts come in sixteens: together they are one tall matrix.
    const int64_t rows = tensor->ne[1] * tensor->ne[2];
    if (!is_whole || !kernels->pack(tensor->type, tensor->ne[0], rows, data, tensor->data)) {
        throw std::runtime_error("a weight matrix could not be packed");
    }
}

ggml_backend_buffer_t alloc_buffer(ggml_backend_buffer_type_t type, size_t size) {
    ggml_backend_buffer_t buffer = ggml_backend_buft_alloc_buffer(ggml_backend_cpu_buffer_type(), size);
    if (buffer == nullptr) {
        return nullptr;
    }
#if defined(__linux__)
    // Best effort: with huge pages, walking through the weights misses fewer translations.
    constexpr uintptr_t page = 2 << 20;
    const uintptr_t base = reinterpret_cast<uintptr_t>(ggml_backend_buffer_get_base(buffer));
    const uintptr_t begin = (base + page - 1) / page * page;
    const uintptr_t end = (base + size) / page * page;
    if (begin < end) {
        madvise(reinterpret_cast<void *>(begin), end - begin, MADV_HUGEPAGE);
    }
#endif
    buffer->buft = type;
    buffer->iface.set_tensor = set_tensor;
    // What is packed cannot be read back as ggml knows it.
    buffer->iface.get_tensor = nullptr;
    buffer->iface.cpy_tensor = nullptr;
    return buffer;
}

const char * get_name(ggml_backend_buffer_type_t) {
    return "ZEROHOP";
}

size_t get_alignment(ggml_backend_buffer_type_t) {
    return 64;
}

ggml_backend_buffer_type_t buffer_type() {
    static ggml_backend_buffer_type type = [] {
        ggml_backend_buffer_type type = {};
        type.iface.get_name = get_name;
        type.iface.alloc_buffer = alloc_buffer;
        type.iface.get_alignment = get_alignment;
        type.device = ggml_backend_reg_dev_get(ggml_backend_cpu_reg(), 0);
        type.context = new extra_buffer_type();
        return type;
    }();
    return &type;
}

}  // namespace

extern "C" void zerohop_native_kernels_register(const zerohop_kernels * table) {
    if (kernels != nullptr) {
        return;
    }
    try {
        auto & types = ggml_backend_cpu_get_extra_buffer_types();
        types.insert(types.begin(), buffer_type());
        kernels = table;
    } catch (...) {
        // Out of memory: llama.cpp keeps its own kernels.
    }
}

extern "C" void zerohop_native_kernels_offer(bool offer) {
    offered = offer;
}
